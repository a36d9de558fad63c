#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace esper::utils {

/// The id of one request or decision, shared by everything done for it across threads and
/// processes: 128 bits, written as 32 hex digits (W3C Trace Context).
struct TraceId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    bool is_set() const { return (high | low) != 0; }
    std::string hex() const;
    bool operator==(const TraceId&) const = default;

    /// A random id.
    static TraceId make();
    static std::optional<TraceId> parse(std::string_view hex);
    /// The id set by this thread's TraceScope; not set without one.
    static TraceId current();
};

/// Sets the thread's trace id until the TraceScope is destroyed.
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
