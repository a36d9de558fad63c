#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace esper {
class Clock;
}

namespace esper::contracts {

/// A point in time, UTC, to the nanosecond (years 1678 to 2261).
struct Timestamp {
    std::int64_t utc_ns = 0;
    auto operator<=>(const Timestamp&) const = default;

    /// Whether append_timestamp can write the time.
    bool in_range() const;
};

/// `2026-11-23T09:18:05Z`, with as many of 3, 6 or 9 decimals as the value needs.
void append_timestamp(std::string& out, Timestamp time);
std::string to_string(Timestamp time);
/// Reads exactly the form above, with 0 to 9 decimals; nothing for any other text.
std::optional<Timestamp> parse_timestamp(std::string_view text);

Timestamp now(const Clock& clock);

}  // namespace esper::contracts
