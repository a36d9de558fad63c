#include "esper/services/urza/web_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/contracts/contract_error.h"
#include "esper/execution/kernels/kernel_bundle.h"

namespace esper::urza {
namespace {

using contracts::AccessRole;
using nlohmann::json;
using serving::TokenError;

constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 10;

/// The claim of that name, or at the end of that JSON Pointer through objects; null where it is
/// missing.
json claim_in(const json& claims, const std::string& name) {
    if (!name.starts_with('/')) return claims.value(name, json());
    json at = claims;
    for (auto part : split(std::string_view(name).substr(1), '/')) {
        for (const auto& [escape, character] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
            for (auto found = part.find(escape); found != std::string::npos;
                 found = part.find(escape, found + 1))
                part.replace(found, 2, character);
        at = at.is_object() ? at.value(part, json()) : json();
    }
    return at;
}

std::optional<AccessRole> role_in(const json& claim) {
    if (claim.is_string()) {
        const auto role = contracts::from_text<AccessRole>(claim.get<std::string>());
        return role ? std::optional(*role) : std::nullopt;
    }
    std::optional<AccessRole> highest;
    if (!claim.is_array()) return highest;
    for (const auto& item : claim)
        if (const auto role = item.is_string() ? role_in(item) : std::nullopt)
            highest = std::max(highest.value_or(*role), *role);
    return highest;
}

constexpr std::size_t kLongestName = 100, kDigits = 16;

std::string name_of(const std::string& issuer, const std::string& subject) {
    std::string whole = fmt::format("{} {}", issuer, subject);
    if (whole.size() <= kLongestName) return whole;
    auto cut = whole.size() - (kLongestName - kDigits - 1);
    const auto is_inside = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    while (cut < whole.size() && is_inside(whole[cut])) ++cut;  // of a character's bytes
    return fmt::format("{}~{}", sha256(whole).hex().substr(0, kDigits), whole.substr(cut));
}

}  // namespace

Result<std::unique_ptr<WebTokens>> WebTokens::open(const Options& options) {
    if (options.rules.issuer.empty() || options.rules.audience.empty())
        return fail(UrzaError::kBadRequest,
                    "the keys of an issuer need its name (--issuer, a token's iss) and what its "
                    "tokens are for (--audience, a token's aud)");
    if (options.role_claim.empty())
        return fail(UrzaError::kBadRequest, "the claim with the role needs a name (--role-claim)");
    std::unique_ptr<WebTokens> tokens(new WebTokens(options));
    ESPER_CHECK_STATUS(tokens->keys());
    return tokens;
}

Result<WebTokens::Keys> WebTokens::keys() {
    std::error_code unresolved;  // a link is the user's; only its target must be safe
    const auto file = std::filesystem::canonical(options_.keys, unresolved);
    auto text = execution::read_bundle_file(unresolved ? options_.keys : file, kMostBytes);
    if (!text) return fail(TokenError::kBadKeys, text.error().message());
    const std::lock_guard lock(mutex_);
    if (keys_ && *text == text_) return keys_;
    auto read = serving::read_web_keys(*text);
    if (!read) return fail(read.error().within(options_.keys.string()));
    keys_ = std::make_shared<const std::vector<serving::WebKey>>(std::move(*read));
    text_ = std::move(*text);
    return keys_;
}

Result<Caller> WebTokens::find(std::string_view token) {
    ESPER_TRY(const auto keys, this->keys());
    constexpr std::int64_t kSecond = 1'000'000'000;
    ESPER_TRY(auto known, serving::verify_web_token(token, *keys, options_.rules,
                                                    options_.clock->utc_ns() / kSecond));
    if (!is_caller_name(known.subject))
        return fail(TokenError::kClaims,
                    "its sub must be a name: 1 to 100 bytes without control characters");
    const auto role = role_in(claim_in(known.claims, options_.role_claim));
    if (!role)
        return fail(contracts::ContractError::kWrongRole,
                    fmt::format("the claim '{}' of this token names no role; expected researcher, "
                                "operator, curator or admin",
                                options_.role_claim));
    return Caller{name_of(options_.rules.issuer, known.subject), *role};
}

bool WebTokens::is_name_of_issued(std::string_view name) const {
    constexpr auto kHex = "0123456789abcdef";
    return name.starts_with(options_.rules.issuer + " ") ||
           (name.size() > kDigits && name[kDigits] == '~' &&
            name.substr(0, kDigits).find_first_not_of(kHex) == std::string_view::npos);
}

std::vector<std::string> WebTokens::unused() {
    std::vector<std::string> reasons;
    if (const auto keys = this->keys())
        for (const auto& key : **keys)
            if (!key.unused.empty()) reasons.push_back(fmt::format("'{}': {}", key.id, key.unused));
    return reasons;
}

}  // namespace esper::urza
