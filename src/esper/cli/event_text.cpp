#include "esper/cli/event_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::cli {

namespace {

using nlohmann::json;

std::string word(const json& event, const char* key) {
    const auto it = event.find(key);
    return it != event.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string seed_in_words(const json& event) {
    return fmt::format("{} at {} ({})", word(event, "blueprint"), word(event, "anchor"),
                       word(event, "seed"));
}

EventText decision(const json& event) {
    const auto command = word(event, "command");
    const auto seed = seed_in_words(event);
    const auto why = word(event, "reason");
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
    if (command == "prune") return {EventTone::kCulled, fmt::format("pruned {}: {}", seed, why)};
    if (command == "rollback") return {EventTone::kBad, fmt::format("rolled back: {}", why)};
    return {};
}

}  // namespace

EventText describe_event(const json& event) {
    const auto kind = word(event, "event");
    if (kind == "decision") return decision(event);
    if (kind == "fault")
        return {EventTone::kBad,
                fmt::format("took out the seed {} at {} because {}", word(event, "seed"),
                            word(event, "anchor"), word(event, "reason"))};
    if (kind == "rollback")
        return {EventTone::kBad, fmt::format("rolled back: {}", word(event, "reason"))};
    return {};
}

}  // namespace esper::cli
