#include "esper/services/nissa/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "esper/base/clock.h"
#include "esper/base/text.h"
#include "esper/services/nissa/run_times.h"
#include "esper/services/nissa/split_trace.h"
#include "esper/services/nissa/timed_events.h"
#include "esper/services/records/run_files.h"

namespace esper::nissa {

using records::Event;

namespace {

constexpr std::array<std::string_view, 5> kOnlyMeasured = {"health", "readout", "scale", "sample",
                                                           "pictures"};

std::string who_of(const Event& event) {
    if (event.is("control")) return event.text("by");
    if (event.is("decision") || event.is("rejected") || event.is("split")) return "controller";
    if (event.is("gate")) return "gate";
    if (event.is("kernel") || event.is("kernel_fault")) return "kernels";
    if (event.is("resumed_with") || event.is("forked")) return "user";
    return "trainer";
}

std::string what_of(const Event& event) {
    if (event.is("decision")) return event.text("command");
    if (event.is("control")) return event.text("action");
    return event.kind();
}

std::string subject_of(const Event& event) {
    for (const char* key : {"seed", "block", "file", "checkpoint", "chosen"})
        if (auto text = event.text(key); !text.empty()) {
            const auto anchor = event.text("anchor");
            return anchor.empty() ? text : fmt::format("{} at {}", text, anchor);
        }
    return event.text("anchor");
}

std::string number(const Event& event, const char* key) {
    const auto value = event.number(key);
    return value ? fmt::format("{:.3g}", *value) : "?";
}

std::string why_of(const Event& event) {
    if (event.is("gate"))
        return fmt::format("{}: look {} after {} examples, gain {} [{}, {}], rent {}",
                           event.text("verdict"), event.integer("look"), event.integer("examples"),
                           number(event, "mean"), number(event, "lower"), number(event, "upper"),
                           number(event, "rent"));
    if (event.is("transition"))
        return fmt::format("{} to {}", event.text("from"), event.text("to"));
    if (event.is("control")) {
        const auto reason = event.text("reason");
        return event.text("outcome") + (reason.empty() ? "" : ": " + reason);
    }
    if (event.is("rollback"))
        return fmt::format("to step {}: {}", event.integer("to_step"), event.text("reason"));
    if (event.is("kernel")) return event.text("runs") + ": " + event.text("why");
    if (event.is("refused"))
        return fmt::format("no {}: it costs {} FLOPs, and measuring has {} left",
                           event.text("what"), human_count(event.number("cost").value_or(0)),
                           human_count(std::max(0.0, event.number("balance").value_or(0))));
    if (event.is("resumed_with")) return event.content()["keys"].dump();
    if (event.is("checkpoint")) return event.text("kind");
    const auto reason = event.text("reason");
    return reason.empty() ? event.text("why") : reason;
}

bool names(const Event& event, const std::string& subject) {
    constexpr std::array<const char*, 6> kNames = {"seed",   "anchor", "blueprint",
                                                   "kernel", "block",  "file"};
    return std::ranges::any_of(kNames, [&](const char* key) { return event.text(key) == subject; });
}

Result<std::vector<TimedEvent>> untimed_events(const std::filesystem::path& run) {
    ESPER_TRY(auto events, records::read_events(run));
    std::vector<TimedEvent> all;
    for (auto& event : events) all.push_back({std::move(event)});
    return all;
}

}  // namespace

Result<std::vector<Deed>> deeds_of(const std::filesystem::path& run, const DeedQuery& query) {
    ESPER_CHECK_STATUS(records::check_run_folder(run));
    const auto times = RunTimes::read(run);  // a run whose first epoch has not ended has none
    ESPER_TRY(const auto events, times ? read_timed_events(run, *times) : untimed_events(run));
    std::vector<Deed> deeds;
    SplitNames splits;
    for (const auto& [event, begin_ns, end_ns] : events) {
        if (std::ranges::find(kOnlyMeasured, event.kind()) != kOnlyMeasured.end()) continue;
        Deed deed{event.step(),   event.epoch(),     event.text("at"), false, who_of(event),
                  what_of(event), subject_of(event), why_of(event),    ""};
        if (deed.at.empty() && times) {
            deed.at = iso8601(end_ns);
            deed.is_about = !times->knows_events();
        }
        const auto seed = event.text("seed"), split = splits.of(event);
        if (times && !(seed.empty() && split.empty()))
            deed.trace = trace_id_of(times->fingerprint(), split.empty() ? seed : split);
        const bool fits = (query.who.empty() || deed.who == query.who) &&
                          (query.what.empty() || deed.what == query.what) &&
                          (query.subject.empty() || names(event, query.subject)) &&
                          (!query.from || deed.step >= *query.from) &&
                          (!query.to || deed.step <= *query.to);
        if (fits) deeds.push_back(std::move(deed));
    }
    return deeds;
}

}  // namespace esper::nissa
