#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/records/fields.h"

namespace esper::records {

/// One kind of event, and the fields that its lines in events.jsonl have besides `event`, `step`
/// and `epoch`. This table is the schema: other kinds are neither written nor read.
struct EventKind {
    std::string_view name;
    std::string_view meaning;
    std::vector<Field> fields;
};
const std::vector<EventKind>& event_kinds();

/// One event, as the schema says it is.
class Event {
  public:
    /// Errors: kBadRecord for an unknown kind (with the nearest name) and for a field that is
    /// missing or of another type, naming it.
    static Result<Event> make(nlohmann::json content);
    /// The same from what stands in every event and the rest.
    static Result<Event> make(const std::string& kind, std::int64_t step, std::int64_t epoch,
                              nlohmann::json detail);
    /// The same from a line of events.jsonl.
    static Result<Event> parse(std::string_view line);

    const std::string& kind() const { return kind_; }
    bool is(std::string_view kind) const { return kind_ == kind; }
    std::int64_t step() const { return step_; }
    std::int64_t epoch() const { return epoch_; }
    /// Empty, 0 or nothing where the event has no such field.
    std::string text(std::string_view key) const { return text_of(content_, key); }
    std::int64_t integer(std::string_view key) const { return integer_of(content_, key); }
    std::optional<double> number(std::string_view key) const { return number_of(content_, key); }
    /// All of it.
    const nlohmann::json& content() const { return content_; }

  private:
    std::string kind_;
    std::int64_t step_ = 0;
    std::int64_t epoch_ = 0;
    nlohmann::json content_;
};

}  // namespace esper::records
