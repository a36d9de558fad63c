#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

namespace esper::execution {

/// The eviction policy S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction",
/// SOSP 2023). It has three first-in-first-out queues. A new entry enters the small queue (a tenth
/// of the cache). At its end, entries that were requested again move to the main queue; the others
/// are evicted and their keys kept in a ghost queue. A key found there enters the main queue
/// directly. A hit only raises the entry's counter (0 … 3) and so needs no lock.
/// bench/execution/cache_policies.h compares the policy with others. Not thread-safe.
class S3Fifo {
  public:
    static constexpr std::uint8_t kMaxFrequency = 3;

    /// Adds `entry` (any number that the caller uses for it), which holds `key`.
    void insert(std::uint32_t entry, std::uint64_t key, std::uint64_t charge) {
        const bool returns = forget(key);
        auto& queue = returns ? main_ : small_;
        queue.push_back({entry, key, charge});
        bytes_ += charge;
        if (!returns) small_bytes_ += charge;
    }

    /// Finds a victim: walks the queues until `cache.evict(entry, key)` returns true. Also calls
    /// `cache.gone(entry, key)` (removed in another way?), `cache.frequency(entry)` and, to lower
    /// it, `cache.set_frequency(entry, count)`. False when `evict` refused every entry.
    template <typename Cache>
    bool evict_one(Cache&& cache) {
        // An entry can be skipped once for each count of its frequency and once by a refusal.
        std::size_t steps = (small_.size() + main_.size() + 1) * (kMaxFrequency + 2u);
        while (steps-- > 0 && !(small_.empty() && main_.empty())) {
            const bool from_small = !small_.empty() && (main_.empty() || small_is_full());
            auto& queue = from_small ? small_ : main_;
            const Slot slot = queue.front();
            queue.pop_front();
            if (from_small) small_bytes_ -= slot.charge;
            if (cache.gone(slot.entry, slot.key)) {
                bytes_ -= slot.charge;
                continue;
            }
            const std::uint8_t count = cache.frequency(slot.entry);
            if (from_small && count > 1) {
                cache.set_frequency(slot.entry, std::uint8_t{0});
                main_.push_back(slot);
            } else if (!from_small && count > 0) {
                cache.set_frequency(slot.entry, static_cast<std::uint8_t>(count - 1));
                main_.push_back(slot);
            } else if (cache.evict(slot.entry, slot.key)) {
                bytes_ -= slot.charge;
                if (from_small) remember(slot.key);
                return true;
            } else {
                main_.push_back(slot);  // in use: try again in the next round
            }
        }
        return false;
    }

  private:
    struct Slot {
        std::uint32_t entry;
        std::uint64_t key;
        std::uint64_t charge;
    };

    /// Whether the small queue holds a tenth of the cache's entries or of its bytes.
    bool small_is_full() const {
        return small_.size() * 10 >= small_.size() + main_.size() || small_bytes_ * 10 >= bytes_;
    }

    void remember(std::uint64_t key) {
        const std::uint64_t ticket = ++tickets_;
        ghost_[key] = ticket;
        ghost_order_.push_back({key, ticket});
        while (ghost_order_.size() > small_.size() + main_.size() + 16) {
            const auto [oldest, its_ticket] = ghost_order_.front();
            ghost_order_.pop_front();
            const auto it = ghost_.find(oldest);
            if (it != ghost_.end() && it->second == its_ticket) ghost_.erase(it);
        }
    }
    bool forget(std::uint64_t key) { return ghost_.erase(key) != 0; }

    std::uint64_t bytes_ = 0;
    std::uint64_t small_bytes_ = 0;
    std::uint64_t tickets_ = 0;
    std::deque<Slot> small_, main_;
    std::unordered_map<std::uint64_t, std::uint64_t> ghost_;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> ghost_order_;
};

}  // namespace esper::execution
