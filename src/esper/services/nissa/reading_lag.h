#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace esper::nissa {

/// How late a run's files are read: of the last minute, the longest time from a write to its
/// reading. While one process is stopped, busy or waits for a slow file system, this rises.
class ReadingLag {
  public:
    /// Every look, also one that finds nothing. `now_ns` is monotonic; `waited_ns` is how long the
    /// oldest of what was found had been there, which cannot be longer than since the last look.
    void looked(std::int64_t now_ns, std::optional<std::int64_t> waited_ns);
    /// Nothing before the second look.
    std::optional<double> seconds() const;

  private:
    struct Wait {
        std::int64_t at_ns = 0, waited_ns = 0;
    };
    std::optional<std::int64_t> last_ns_;
    bool knows_ = false;
    std::deque<Wait> longest_;  ///< each longer than those after it
};

}  // namespace esper::nissa
