#include "esper/services/urza/api_events.h"

#include <algorithm>

#include "esper/services/urza/api_answers.h"
#include "esper/services/urza/event_feed.h"
#include "esper/services/urza/event_wire.h"

namespace esper::urza {

LibraryEvent event_of(const LedgerEntry& entry) {
    LibraryEvent event;
    event.number = static_cast<std::int64_t>(entry.number);
    event.topic = topic_of(entry);
    event.at = entry.at;
    event.actor = entry.actor;
    event.action = entry.action;
    event.subject = entry.subject;
    event.digest = entry.digest;
    event.hash = entry.hash;
    return event;
}

namespace {

using serving::Request;
using serving::Response;

bool wants_stream(const Request& request) {
    return request.header("accept").find("text/event-stream") != std::string_view::npos;
}

/// A client that comes back says with Last-Event-ID what it has; the `after` in its address is then
/// where it began.
Result<std::uint64_t> place_of(const Request& request) {
    ESPER_TRY(const auto after, number_of(request, "after", 0, kLastLedgerEntry));
    const auto last = request.header(kLastEventId);
    if (last.empty()) return after;
    return number_in(last, kLastEventId, kLastLedgerEntry);
}

Response list_events(Library& library, EventFeed& feed, const Request& request) {
    const auto after = place_of(request);
    const auto limit = number_of(request, "limit", PageOf{}.limit, kMostItems);
    if (!after || !limit) return refuse((after ? limit : after).error());
    if (wants_stream(request)) return serving::event_stream(feed.after(*after));
    const PageOf page{"", static_cast<std::uint32_t>(std::max<std::uint64_t>(*limit, 1))};
    return page_response(
        EventCursor(library, *after).next(page.limit), page,
        [](const LedgerEntry& entry) {
            return nlohmann::json::parse(contracts::to_json(event_of(entry)).value_or("null"));
        },
        [](const LedgerEntry& entry) { return std::to_string(entry.number); });
}

}  // namespace

std::vector<Operation> event_operations(Library& l) {
    const auto feed = std::make_shared<EventFeed>(l);
    return {{"GET", "/api/v1/events",
             "Changes of the library after a number, in order and without gaps; a stream of them "
             "where text/event-stream is asked for",
             contracts::AccessRole::kResearcher, nullptr, &contracts::record_info<LibraryEvent>(),
             true,
             [&l, feed](const Request& r, const Caller&) { return list_events(l, *feed, r); }}};
}

}  // namespace esper::urza
