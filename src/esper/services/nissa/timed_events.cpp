#include "esper/services/nissa/timed_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/own_file.h"

namespace esper::nissa {

using nlohmann::json;
using records::Event;

Result<std::vector<TimedEvent>> read_timed_events(const std::filesystem::path& run,
                                                  const RunTimes& times) {
    auto text = read_own_file(run / "events.jsonl");
    if (!text && text.error().is(FileError::kNotFound)) return std::vector<TimedEvent>{};
    if (!text) return fail(text.error());
    std::vector<TimedEvent> events;
    std::size_t at = 0;
    for (auto end = text->find('\n'); end != std::string::npos; end = text->find('\n', at)) {
        auto event = Event::parse(std::string_view(*text).substr(at, end - at));
        if (!event)
            return fail(event.error().within(
                fmt::format("{}, line {}", (run / "events.jsonl").string(), events.size() + 1)));
        const auto ns = times.of_event(at, event->step());
        const bool goes_on = !events.empty() && events.back().event.step() == event->step();
        events.push_back(
            {std::move(*event), goes_on ? std::min(ns, events.back().end_ns) : ns, ns});
        at = end + 1;
    }
    return events;
}

json details_of(const Event& event) {
    json details{{"esper.step", event.step()}, {"esper.epoch", event.epoch()}};
    for (const auto& [key, value] : event.content().items()) {
        if (key == "event" || key == "step" || key == "epoch") continue;
        if (value.is_object())
            for (const auto& [inner, figure] : value.items())
                details[fmt::format("esper.{}.{}", key, inner)] = figure;
        else
            details["esper." + key] = value;
    }
    return details;
}

}  // namespace esper::nissa
