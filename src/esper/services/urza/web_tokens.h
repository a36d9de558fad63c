#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/clock.h"
#include "esper/services/serving/web_token.h"
#include "esper/services/urza/tokens.h"

namespace esper::urza {

/// Callers whom an issuer of JSON Web Tokens vouches for. Its public keys are a file (a JWKS) that
/// is read again when it changes. Thread-safe.
class WebTokens {
  public:
    struct Options {
        std::filesystem::path keys;
        serving::TokenRules rules;
        /// The claim that says the role: a role's name, or a list in which the highest counts. One
        /// that begins with `/` is a JSON Pointer through objects (RFC 6901), e.g.
        /// `/realm_access/roles`.
        std::string role_claim = "role";
        const Clock* clock = &system_clock();
    };
    /// Errors: UrzaError::kBadRequest for a rule or a claim without a name; TokenError::kBadKeys.
    static Result<std::unique_ptr<WebTokens>> open(const Options& options);

    /// Whose token it is: the issuer, a space and the subject, so that nobody is taken for whoever
    /// has a token of the library's own or for a subject of another issuer. Of more than 100 bytes
    /// the last 83 stand after 16 digits of the whole name's SHA-256 and a `~`. And the role.
    /// Errors: those of serving::verify_web_token; TokenError::kBadKeys where the file cannot be
    /// used at present; contracts::ContractError::kWrongRole where the claim names no role.
    Result<Caller> find(std::string_view token);
    /// Whether somebody of this issuer may be called so.
    bool is_name_of_issued(std::string_view name) const;
    /// The keys of the file that are not used, and why.
    std::vector<std::string> unused();

  private:
    using Keys = std::shared_ptr<const std::vector<serving::WebKey>>;
    explicit WebTokens(Options options) : options_(std::move(options)) {}
    Result<Keys> keys();
    const Options options_;
    std::mutex mutex_;
    std::string text_;
    Keys keys_;
};

}  // namespace esper::urza
