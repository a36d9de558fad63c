#pragma once
// trust: who signed what. Keys have a role; a statement is signed as the bytes that it is.

#include <string>
#include <string_view>

#include "esper/contracts/enum_text.h"
#include "esper/execution/kernels/signature.h"

namespace esper::execution {

/// What a key may sign: other keys and revocations; manifests; verdicts; the head of the ledger.
#define ESPER_KEY_ROLES(X)      \
    X(kRoot, 0, "root")         \
    X(kForge, 1, "forge")       \
    X(kGauntlet, 2, "gauntlet") \
    X(kLibrary, 3, "library")
using contracts::EnumEntry;
ESPER_CONTRACT_ENUM(KeyRole, ESPER_KEY_ROLES)

/// The kinds of statements. The kind is signed with the bytes, so that a signature made for one
/// kind is none for another.
inline constexpr std::string_view kManifestType = "esper.kernel-manifest.v2";
inline constexpr std::string_view kVerdictType = "esper.verdict.v1";
inline constexpr std::string_view kKeyType = "esper.key.v1";
inline constexpr std::string_view kRevocationType = "esper.revocation.v1";
inline constexpr std::string_view kLedgerHeadType = "esper.ledger-head.v1";

/// What is signed for `bytes` of kind `type`: the pre-authentication encoding of DSSE
/// (https://github.com/secure-systems-lab/dsse, protocol.md).
std::string authenticated_bytes(std::string_view type, std::string_view bytes);

/// A signature and the id of the key that made it.
struct Seal {
    std::string key;
    Signature signature{};
    bool operator==(const Seal&) const = default;
};

/// The id of a key: the first 8 bytes of the SHA-256 of its public half, in hex.
std::string key_id_of(const PublicKey& open);

/// Lower-case hex, and back. Errors: kBadKey unless `hex` has exactly that many lower-case digits.
std::string to_hex(std::span<const std::uint8_t> bytes);
Status from_hex(std::string_view hex, std::span<std::uint8_t> bytes);

/// The secret half of a key, ready to sign.
class Signer {
  public:
    static Result<Signer> make(KeyRole role, const PrivateKey& secret);
    const std::string& id() const { return id_; }
    KeyRole role() const { return role_; }
    const PublicKey& open() const { return open_; }
    Result<Seal> seal(std::string_view type, std::string_view bytes) const;

  private:
    std::string id_;
    KeyRole role_ = KeyRole::kRoot;
    PrivateKey secret_{};
    PublicKey open_{};
};

}  // namespace esper::execution
