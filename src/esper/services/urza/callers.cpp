#include "esper/services/urza/callers.h"

#include <fmt/format.h>

#include "esper/contracts/contract_error.h"
#include "esper/services/serving/bearer_token.h"
#include "esper/utils/logging.h"

namespace esper::urza {

using contracts::AccessRole;
using serving::Request;
using serving::Response;
using serving::TokenError;

namespace {

Response problem_of(const Error& error) {
    // One that says nothing about the caller: the file of tokens, or of keys, is damaged.
    if (error.is(TokenError::kBadKeys) || error.is(UrzaError::kBadTokens))
        return serving::problem(503, error);
    if (error.is(contracts::ContractError::kWrongRole)) return serving::problem(403, error);
    return serving::unauthorized(error.message(), fmt::format("{}.{}", error.room(), error.name()));
}

}  // namespace

tl::expected<Caller, Response> Callers::allow(const Request& request, AccessRole least) {
    const auto token = serving::bearer_token(request);
    if (!token)
        return refuse(request,
                      serving::unauthorized("expected one header Authorization: Bearer TOKEN; "
                                            "esper token add makes a token"),
                      "no token");
    auto found = find(*token);
    if (!found) return refuse(request, problem_of(found.error()), found.error().name());
    if (found->role < least)
        return refuse(request,
                      serving::problem(403, fmt::format("this needs the role {}; {} is {}",
                                                        contracts::to_text(least), found->name,
                                                        contracts::to_text(found->role))),
                      "a lesser role");
    return std::move(*found);
}

Result<Caller> Callers::find(std::string_view token) {
    const bool is_issued = token.find('.') != std::string_view::npos;
    if (is_issued && issued_ != nullptr) return issued_->find(token);
    ESPER_TRY(auto found, own_.find(token));
    if (found && issued_ != nullptr && issued_->is_name_of_issued(found->name))
        return fail(UrzaError::kConflict,
                    fmt::format("the token of {} has a name that the issuer's callers have; revoke "
                                "it and make one with another name (esper token)",
                                found->name));
    if (found) return std::move(*found);
    return fail(UrzaError::kUnknownToken,
                is_issued ? "this server takes no tokens of an issuer; esper urza serve --jwks "
                            "FILE makes it take them"
                          : "nobody has this token");
}

tl::unexpected<Response> Callers::refuse(const Request& request, Response response,
                                         std::string_view why) {
    if (response.status == 401) ++unknown_;
    if (response.status == 403) ++forbidden_;
    ESPER_LOG_WARNING("refused", utils::kv("why", why), utils::kv("status", response.status),
                      utils::kv("method", request.method), utils::kv("path", request.path));
    return tl::unexpected(std::move(response));
}

}  // namespace esper::urza
