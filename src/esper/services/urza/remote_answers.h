#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "esper/contracts/codec.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/remote_client.h"

namespace esper::urza {

/// Reading what a library's server says, which may be anything.

inline constexpr std::uint32_t kMostOnPage = 1000;

tl::unexpected<Error> bad_answer(std::string_view what);

/// Error: kBadAnswer for a text that is no such record.
template <typename T>
Result<T> record_in(const std::string& text) {
    auto record = contracts::from_json<T>(text);
    if (!record) return bad_answer(record.error().message());
    return record;
}

/// The items of a page. What is nested deeper than any record is dropped while it is read.
/// Error: kBadAnswer.
Result<nlohmann::json> items_in(const std::string& text, std::uint32_t most);

/// The records after `page.after`, from as many pages of the server as it takes. `ask` gets the
/// page's query, `read` the text of an item. Error: kBadAnswer where ids do not ascend.
template <typename Record, typename Ask, typename Read, typename IdOf>
Result<std::vector<Record>> all_of(const PageOf& page, const Ask& ask, const Read& read,
                                   const IdOf& id_of) {
    std::vector<Record> found;
    std::string last = page.after;
    while (found.size() < page.limit) {
        const auto most = std::min<std::uint32_t>(
            kMostOnPage, page.limit - static_cast<std::uint32_t>(found.size()));
        ESPER_TRY(const std::string text,
                  ask(fmt::format("after={}&limit={}", escaped(last), most)));
        ESPER_TRY(const auto items, items_in(text, most));
        for (const auto& item : items) {
            ESPER_TRY(Record record, read(item.dump()));
            if (id_of(record) <= last) return bad_answer("a page is out of order");
            last = id_of(record);
            found.push_back(std::move(record));
        }
        if (items.size() < most) break;
    }
    return found;
}

}  // namespace esper::urza
