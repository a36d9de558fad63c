#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

namespace esper::utils {

/// A queue for many producers and one consumer with a fixed number of slots (a power of two). No
/// call waits: push() on a full queue returns false at once. After D. Vyukov, "Bounded MPMC queue":
/// each slot has a ticket that says which push or pop may use the slot next.
template <typename T>
class BoundedQueue {
  public:
    explicit BoundedQueue(std::size_t capacity)
        : capacity_(std::bit_ceil(capacity)), slots_(new Slot[capacity_]()) {
        for (std::size_t i = 0; i < capacity_; ++i) slots_[i].ticket.store(i);
    }

    std::size_t capacity() const { return capacity_; }

    /// Claims a slot and calls `fill(T&)` to write it in place. False when full. Lock-free.
    template <typename Fill>
    bool push(Fill&& fill) {
        std::size_t at = head_.load(std::memory_order_relaxed);
        for (;;) {
            Slot& slot = slots_[at & (capacity_ - 1)];
            const std::size_t ticket = slot.ticket.load(std::memory_order_acquire);
            if (ticket == at) {
                if (head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
                    fill(slot.value);
                    slot.ticket.store(at + 1, std::memory_order_release);
                    return true;
                }
            } else if (static_cast<std::ptrdiff_t>(ticket - at) < 0) {
                return false;
            } else {
                at = head_.load(std::memory_order_relaxed);
            }
        }
    }

    /// Calls `take(T&)` on the oldest entry. False when empty. One thread only.
    template <typename Take>
    bool pop(Take&& take) {
        Slot& slot = slots_[tail_ & (capacity_ - 1)];
        if (slot.ticket.load(std::memory_order_acquire) != tail_ + 1) return false;
        take(slot.value);
        slot.ticket.store(tail_ + capacity_, std::memory_order_release);
        ++tail_;
        return true;
    }

    /// Entries claimed since the beginning.
    std::size_t pushed() const { return head_.load(std::memory_order_acquire); }

  private:
    struct alignas(64) Slot {
        std::atomic<std::size_t> ticket{0};
        T value{};
    };

    std::size_t capacity_;
    std::unique_ptr<Slot[]> slots_;
    alignas(64) std::atomic<std::size_t> head_{0};
    alignas(64) std::size_t tail_ = 0;
};

}  // namespace esper::utils
