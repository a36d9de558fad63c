#include "esper/services/records/event_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::records {

namespace {

std::string seed_in_words(const Event& event) {
    return fmt::format("{} at {} ({})", event.text("blueprint"), event.text("anchor"),
                       event.text("seed"));
}

EventText decision(const Event& event) {
    const auto command = event.text("command");
    const auto seed = seed_in_words(event);
    const auto why = event.text("reason");
    if (command == "germinate")
        return {EventTone::kNeutral, fmt::format("germinated {}: {}", seed, why)};
    if (command == "graft")
        return {EventTone::kNeutral,
                fmt::format("passed its first gate, is blended in: {}: {}", seed, why)};
    if (command == "fine_tune")
        return {EventTone::kNeutral,
                fmt::format("passed its second gate, learns with the host: {}: {}", seed, why)};
    if (command == "fossilize") return {EventTone::kGood, fmt::format("kept {}: {}", seed, why)};
    if (command == "cull")
        return {EventTone::kCulled, fmt::format("culled {} because {}", seed, why)};
    if (command == "cancel")
        return {EventTone::kCulled, fmt::format("cancelled {} because {}", seed, why)};
    return {};
}

EventText past_runs(const Event& event) {
    std::string names;
    for (const auto& blueprint : event.content().at("blueprints"))
        if (blueprint.is_object() && blueprint.value("unlikely", false))
            names += (names.empty() ? "" : ", ") + text_of(blueprint, "blueprint");
    if (names.empty()) return {};
    return {EventTone::kNeutral,
            "measures only where drawn, because past runs hardly ever chose "
            "it: " +
                names};
}

}  // namespace

EventText describe_event(const Event& event) {
    if (event.is("decision")) return decision(event);
    if (event.is("split"))
        return {EventTone::kGood, fmt::format("split block {} into two: {}", event.text("block"),
                                              event.text("reason"))};
    if (event.is("resolution"))
        return {EventTone::kNeutral, fmt::format("images grow from {} to {} pixels",
                                                 event.integer("from"), event.integer("to"))};
    if (event.is("fault"))
        return {EventTone::kBad,
                fmt::format("took out the seed {} at {} because {}", event.text("seed"),
                            event.text("anchor"), event.text("reason"))};
    if (event.is("kernel") && event.text("runs") == "kernel")
        return {EventTone::kNeutral,
                fmt::format("seed {} ({}) runs a native kernel: {}", event.text("seed"),
                            event.text("blueprint"), event.text("why"))};
    if (event.is("past_runs")) return past_runs(event);
    if (event.is("kernel_fault"))
        return {EventTone::kBad,
                fmt::format("seed {} runs as operators from here on, not as kernel {}: {}",
                            event.text("seed"), event.text("kernel"), event.text("reason"))};
    if (event.is("broken_seal"))
        return {EventTone::kBad, "stops, because foreign code wrote over the seeds' states: " +
                                     event.text("reason")};
    if (event.is("rollback"))
        return {EventTone::kBad, fmt::format("went back to step {}: {}", event.integer("to_step"),
                                             event.text("reason"))};
    if (event.is("control")) {
        const auto reason = event.text("reason");
        return {EventTone::kNeutral,
                fmt::format("{} asked for {}: {}{}", event.text("by"), event.text("action"),
                            event.text("outcome"), reason.empty() ? "" : " because " + reason)};
    }
    if (event.is("ended_early"))
        return {EventTone::kNeutral, "ends early: " + event.text("reason")};
    if (event.is("rollback_refused"))
        return {EventTone::kBad, fmt::format("did not go back: {}", event.text("reason"))};
    if (event.is("forked"))
        return {EventTone::kNeutral, fmt::format("forked from the trunk's {} to finish at {}",
                                                 event.text("checkpoint"), event.text("budget"))};
    if (event.is("resumed_with")) {
        std::string keys;
        for (const auto& [key, change] : event.content()["keys"].items())
            keys += fmt::format("{}{} = {}", keys.empty() ? "" : ", ", key,
                                change.contains("to") ? change["to"].dump() : "?");
        return {EventTone::kNeutral, "resumed with " + keys};
    }
    return {};
}

EventText describe_event(const nlohmann::json& event) {
    const auto typed = Event::make(event);
    return typed ? describe_event(*typed) : EventText{};
}

}  // namespace esper::records
