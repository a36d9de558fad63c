#pragma once

#include <cstdint>
#include <memory>

#include "esper/execution/states/atomics_policy.h"

namespace esper::execution {

/// A bounded queue for many producers and one consumer at a time. Each cell has a number that says
/// which push or pop may use it next (after D. Vyukov's bounded queue). Only the constructor
/// allocates; push() on a full queue returns false.
template <typename T, typename Policy = StdAtomics>
class BoundedQueue {
  public:
    /// `capacity` is rounded up to a power of two.
    explicit BoundedQueue(std::uint32_t capacity) {
        std::uint32_t n = 2;
        while (n < capacity) n *= 2;
        mask_ = n - 1;
        cells_ = std::make_unique<Cell[]>(n);
        for (std::uint32_t i = 0; i < n; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
    }

    std::uint32_t capacity() const { return mask_ + 1; }

    /// False when full.
    bool push(const T& value) {
        std::uint64_t at = tail_.load(std::memory_order_relaxed);
        for (;;) {
            Cell& cell = cells_[at & mask_];
            const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
            if (turn == at) {
                if (tail_.compare_exchange_strong(at, at + 1, std::memory_order_relaxed)) {
                    cell.value = value;
                    cell.turn.store(at + 1, std::memory_order_release);
                    return true;
                }
            } else if (turn < at) {
                return false;
            } else {
                at = tail_.load(std::memory_order_relaxed);
            }
        }
    }

    /// Takes the oldest value; false when there is none or its producer has not finished writing.
    bool pop(T& value) {
        const std::uint64_t at = head_.load(std::memory_order_relaxed);
        Cell& cell = cells_[at & mask_];
        if (cell.turn.load(std::memory_order_acquire) != at + 1) return false;
        value = cell.value;
        head_.store(at + 1, std::memory_order_relaxed);
        cell.turn.store(at + mask_ + 1, std::memory_order_release);
        return true;
    }

  private:
    struct Cell {
        typename Policy::template Atomic<std::uint64_t> turn{0};
        T value{};
    };
    std::uint32_t mask_ = 0;
    std::unique_ptr<Cell[]> cells_;
    alignas(64) typename Policy::template Atomic<std::uint64_t> tail_{0};
    alignas(64) typename Policy::template Atomic<std::uint64_t> head_{0};
};

}  // namespace esper::execution
