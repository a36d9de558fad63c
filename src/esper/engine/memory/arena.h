#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace esper::graph {

/// A block of memory that runs of recorded lists use one after the other.
struct Arena {
    std::byte* begin = nullptr;
    std::size_t bytes = 0;
    bool taken = false;           ///< by a run; guarded by Arenas
    std::atomic<int> pieces = 0;  ///< that someone holds

    bool holds(const void* address) const {
        const auto* at = static_cast<const std::byte*>(address);
        return at >= begin && at < begin + bytes;
    }
};

/// All arenas of the process. Thread-safe.
class Arenas {
  public:
    static Arenas& all();

    /// An arena of at least `bytes` that nobody uses; null if there is none and no memory for one.
    Arena* take(std::size_t bytes);
    void give_back(Arena* arena);
    /// Gives the memory of arenas that nobody uses to the system.
    void drop_unused();
    /// Of all arenas.
    std::size_t bytes();
    /// Gives back a piece. False: the address lies in no arena.
    bool free_piece(const void* address);

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Arena>> arenas_;
};

}  // namespace esper::graph
