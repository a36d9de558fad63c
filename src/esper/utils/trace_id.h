#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace esper::utils {

/// Ties together what belongs to one request or one decision, across threads and processes: 128
/// bits, written as 32 hex digits (W3C Trace Context).
struct TraceId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    bool is_set() const { return (high | low) != 0; }
    std::string hex() const;
    bool operator==(const TraceId&) const = default;

    /// A random id.
    static TraceId make();
    static std::optional<TraceId> parse(std::string_view hex);
    /// What this thread works for, if it said so.
    static TraceId current();
};

/// Sets the thread's trace id for as long as it lives.
class TraceScope {
  public:
    explicit TraceScope(TraceId id);
    ~TraceScope();
    TraceScope(const TraceScope&) = delete;
    TraceScope& operator=(const TraceScope&) = delete;

  private:
    TraceId before_;
};

}  // namespace esper::utils
