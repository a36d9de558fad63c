#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "esper/contracts/reflect.h"
#include "esper/services/serving/router.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/tokens.h"
#include "esper/services/urza/web_tokens.h"

namespace esper::urza {

inline constexpr std::uint32_t kMostItems = 1000;  ///< of a page
inline constexpr const char* kLastEventId = "Last-Event-ID";
inline constexpr std::uint64_t kLastLedgerEntry = std::uint64_t{1} << 62;

/// One operation of the library's server under /api/v1.
struct Operation {
    std::string method, pattern, what;
    contracts::AccessRole least = contracts::AccessRole::kResearcher;
    const contracts::RecordInfo* takes = nullptr;  ///< the type of the body
    const contracts::RecordInfo* gives = nullptr;  ///< the type of the answer, or of its items
    bool page = false;                             ///< a list with `after` and `limit`
    std::function<serving::Response(const serving::Request&, const Caller&)> act = {};
};
std::vector<Operation> operations(Library& library);

/// Adds every operation, /openapi.json, /health and /ready to the router. An operation needs a
/// token (`Authorization: Bearer …`) of at least its role, one of the library's or of an issuer:
/// 401 without one, 403 with one of a lesser role. Who asked for a change stands in the log.
/// Answers of 200 have an ETag (304 for If-None-Match) and are compressed from 1 KiB on where the
/// client takes gzip. `library`, `tokens` and `issued` must outlive the router.
void add_api(serving::Router& router, Library& library, Tokens& tokens,
             WebTokens* issued = nullptr);

/// Names that its query may have. Another one is refused with 400.
std::vector<std::string> query_names(const Operation& operation);

/// The OpenAPI 3.1 description of these operations, made from them and the contracts' schemas.
nlohmann::json openapi(const std::vector<Operation>& operations);

}  // namespace esper::urza
