#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "esper/contracts/codec.h"
#include "esper/services/serving/response.h"
#include "esper/services/urza/api.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

/// What the operations of the library's server have in common: reading a page's limits, and
/// answering with records, pages and problems.

/// Unknown things are 404, conflicts 409; the rest as serving::problem says.
serving::Response refuse(const Error& error);

/// The number that `text` is; `name` is of what a client gave it for. Error: kBadRequest.
Result<std::uint64_t> number_in(std::string_view text, std::string_view name, std::uint64_t most);
/// A number of the query. Error: kBadRequest.
Result<std::uint64_t> number_of(const serving::Request& request, const char* name,
                                std::uint64_t usual, std::uint64_t most);
Result<PageOf> page_of(const serving::Request& request);

/// A page as {"items": […], "next": "…" or null}; `next` is the `after` of the page behind it.
template <typename Records, typename JsonOf, typename IdOf>
serving::Response page_response(const Result<Records>& records, const PageOf& page,
                                const JsonOf& json_of, const IdOf& id_of) {
    if (!records) return refuse(records.error());
    nlohmann::json items = nlohmann::json::array();
    for (const auto& record : *records) items.push_back(json_of(record));
    const bool more = records->size() == page.limit;
    return serving::json_content(
        {{"items", items},
         {"next", more ? nlohmann::json(id_of(records->back())) : nlohmann::json()}});
}

template <typename T>
serving::Response contract_response(const Result<T>& value, int status = 200) {
    if (!value) return refuse(value.error());
    auto text = contracts::to_json(*value);
    if (!text) return refuse(text.error());
    return serving::content("application/json", std::move(*text), status);
}

}  // namespace esper::urza
