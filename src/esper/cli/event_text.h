#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace esper::cli {

/// How much an event matters to somebody watching.
enum class EventTone { kNone, kNeutral, kGood, kCulled, kBad };

/// One event of events.jsonl in plain words; an empty text for steps that interest nobody.
struct EventText {
    EventTone tone = EventTone::kNone;
    std::string text;
};
EventText describe_event(const nlohmann::json& event);

}  // namespace esper::cli
