#pragma once

#include <string>

#include "esper/services/records/events.h"

namespace esper::records {

/// The tone of an event: decides its colour on the screen.
enum class EventTone { kNone, kNeutral, kGood, kCulled, kBad };

/// One event of events.jsonl in plain words; the text is empty for events that are not shown.
struct EventText {
    EventTone tone = EventTone::kNone;
    std::string text;
};
EventText describe_event(const Event& event);
/// The same from its JSON; empty for what is no event of the schema.
EventText describe_event(const nlohmann::json& event);

}  // namespace esper::records
