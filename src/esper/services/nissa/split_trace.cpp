#include "esper/services/nissa/split_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace esper::nissa {

using nlohmann::json;
using records::Event;

namespace {

struct Judged {
    std::string copy;
    std::int64_t step = 0;
};

// Which split a later event is about; an empty copy where it is about none.
Judged judged_by(const Event& event) {
    if (event.is("split_kept")) return {event.text("copy"), event.integer("split_step")};
    if (!event.is("rollback")) return {};
    const auto failed = event.content().find("failed_split");
    if (failed == event.content().end() || !failed->is_object()) return {};
    return {records::text_of(*failed, "copy"), records::integer_of(*failed, "step")};
}

bool judges(const Event& event, const Event& split) {
    const auto judged = judged_by(event);
    return judged.copy == split.text("copy") && judged.step == split.step();
}

// A run that goes back behind the split has lost it, whatever the reason.
bool undoes(const Event& event, const Event& split) {
    return event.is("rollback") && event.integer("to_step") <= split.step();
}

}  // namespace

std::string SplitNames::of(const Event& event) {
    const bool is_new = event.is("split");
    const auto split = is_new ? Judged{event.text("copy"), event.step()} : judged_by(event);
    if (split.copy.empty()) return "";
    auto& times = times_[{split.copy, split.step}];
    if (is_new) ++times;
    return fmt::format("split into {} at step {}, time {}", split.copy, split.step, times);
}

Trace split_trace(const std::vector<TimedEvent>& events, std::size_t at, std::string id) {
    const auto& made = events[at];
    const auto& split = made.event;
    auto first = at;
    while (first > 0 && events[first - 1].event.step() == split.step()) --first;
    // What belongs to an earlier split at this step does not belong to this one.
    for (auto i = first; i < at; ++i)
        if (events[i].event.is("rollback") || events[i].event.is("split")) first = i + 1;
    const auto begin = events[first].begin_ns;

    Trace trace{std::move(id), {}};
    trace.add({kTolaria,
               fmt::format("split of {} into {}", split.text("block"), split.text("copy")),
               begin,
               made.end_ns,
               {{"esper.block", split.text("block")},
                {"esper.copy", split.text("copy")},
                {"esper.step", split.step()}}});
    const auto boundary = trace.add({kTolaria,
                                     fmt::format("boundary at step {}", split.step()),
                                     begin,
                                     made.end_ns,
                                     {{"esper.step", split.step()}},
                                     "",
                                     0});
    trace.add({kTamiyo, "decide: split", begin, begin, details_of(split), "", boundary});
    for (auto i = first; i < at; ++i)
        if (events[i].event.is("checkpoint"))
            trace.add({kTolaria, "write a checkpoint", events[i].begin_ns, events[i].end_ns,
                       details_of(events[i].event), "", boundary});
    trace.add({kTolaria,
               "split the block",
               made.begin_ns,
               made.end_ns,
               {{"esper.parameters", split.integer("parameters")}},
               "",
               boundary});

    const auto watch = trace.add(
        {kTolaria, "watch the training loss", made.end_ns, made.end_ns, json::object(), "", 0});
    bool is_watched = true;
    std::string fate;
    for (auto i = at + 1; i < events.size(); ++i) {
        const auto& [event, from, to] = events[i];
        auto& around = trace.spans[watch];
        if (is_watched) around.end_ns = std::max(around.end_ns, to);
        if (event.is("split_kept") && judges(event, split)) {
            trace.add({kTolaria, "the loss allows it", from, to, details_of(event), "", watch});
            is_watched = false;
            fate = "KEPT";
        } else if (undoes(event, split)) {
            trace.add({kTolaria, fmt::format("roll back to step {}", event.integer("to_step")),
                       from, to, details_of(event), event.text("reason"), is_watched ? watch : 0});
            fate = "TAKEN_BACK";
            break;
        }
    }
    auto& root = trace.spans.front();
    for (const auto& span : trace.spans) root.end_ns = std::max(root.end_ns, span.end_ns);
    if (fate.empty()) return trace;
    root.attributes["esper.fate"] = fate;
    const auto end = root.end_ns;
    trace.add({kTolaria, "fate: " + fate, end, end, json::object(), "", 0});
    return trace;
}

}  // namespace esper::nissa
