#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>

namespace esper::graph {

/// Large pieces of memory that go back to the system as soon as they are freed. malloc keeps such
/// pieces, which costs memory where each is asked for once. Thread-safe.
class OwnPages {
  public:
    /// Smaller pieces waste too much of their last page.
    static constexpr std::size_t kSmallest = std::size_t{256} << 10;

    static OwnPages& all();

    /// Null: the system has no memory.
    void* take(std::size_t bytes);
    /// False: the address is not one that take() gave.
    bool free_piece(void* address);

  private:
    std::mutex mutex_;
    std::unordered_map<void*, std::size_t> pieces_;
};

}  // namespace esper::graph
