#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace esper::cli {

/// The tone of an event: decides its colour on the screen.
enum class EventTone { kNone, kNeutral, kGood, kCulled, kBad };

/// One event of events.jsonl in plain words; the text is empty for events that are not shown.
struct EventText {
    EventTone tone = EventTone::kNone;
    std::string text;
};
EventText describe_event(const nlohmann::json& event);

}  // namespace esper::cli
