#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/serving/token_errors.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace esper::serving {

/// A public key of a JSON Web Key Set, and the one algorithm that its kind allows: EdDSA for
/// Ed25519 (RFC 8037), ES256 for P-256 and RS256 for RSA of 2048 bits or more (RFC 7518).
/// Thread-safe.
class WebKey {
  public:
    std::string id;              ///< its `kid`; may be empty
    std::string algorithm = {};  ///< as a token's header spells it
    std::string unused = {};     ///< why no token of this key is taken; empty where they are

    bool has_signed(std::string_view message, std::string_view signature) const;

    std::shared_ptr<evp_pkey_st> key = {};  ///< null where unused
};

/// The keys of a JSON Web Key Set (RFC 7517). A key that is for something else, or of a kind that
/// is not taken, is among them with the reason. Error: kBadKeys for a text that is no such set, for
/// a key with its private half, for two used keys of one id, and where none may be used.
Result<std::vector<WebKey>> read_web_keys(std::string_view text);

}  // namespace esper::serving
