#pragma once

#include <cstdint>
#include <memory>

#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/states/atomics_policy.h"

namespace esper::execution {

/// The cache's memory tier: a fixed pool of entries and a hash table of indices into it. A reader
/// finds an entry, adds itself to the entry's pin word, and then checks that the entry is alive and
/// still holds the key. Entries are never freed, so the pin word is always valid memory. `find`,
/// `unpin` and `frequency` never wait; the functions of the writer are called under the cache's
/// lock.
template <typename Policy = StdAtomics>
class BasicPinTable {
  public:
    static constexpr std::uint32_t kNone = 0xffffffffu;
    template <typename T>
    using Atomic = typename Policy::template Atomic<T>;

    explicit BasicPinTable(std::uint32_t entries) : entry_count_(entries) {
        std::uint32_t slots = 16;
        while (slots < entries * 4) slots *= 2;
        slot_mask_ = slots - 1;
        entries_ = std::make_unique<Entry[]>(entries);
        slots_ = std::make_unique<Atomic<std::uint64_t>[]>(slots);
        for (std::uint32_t i = entries; i-- > 0;) {
            entries_[i].next_free = free_;
            free_ = i;
        }
    }

    std::uint32_t capacity() const { return entry_count_; }

    /// Pins the entry that holds `key`; kNone when there is none. May miss a key while the writer
    /// moves it; a second look-up under the lock finds it.
    std::uint32_t find(std::uint64_t key) {
        const std::uint64_t hash = mix(key);
        for (unsigned attempt = 0; attempt < 4; ++attempt) {
            const std::uint64_t before = moves_.load(std::memory_order_acquire);
            for (std::uint64_t at = hash & slot_mask_;; at = (at + 1) & slot_mask_) {
                const std::uint64_t slot = slots_[at].load(std::memory_order_acquire);
                if (slot == 0) break;
                if ((slot >> 32) != (hash >> 32)) continue;
                const auto index = static_cast<std::uint32_t>(slot) - 1;
                if (pin_if(index, key)) return index;
            }
            if (moves_.load(std::memory_order_acquire) == before) break;
        }
        return kNone;
    }

    /// Gives a pin back. If it was the last pin of a removed entry, the writer's next
    /// collect_orphans frees the entry.
    void unpin(std::uint32_t index) {
        Entry& e = entries_[index];
        const std::uint64_t left = e.pins.fetch_sub(1, std::memory_order_acq_rel) - 1;
        if (left != kDoomed) return;
        std::uint64_t expected = kDoomed;
        if (e.pins.compare_exchange_strong(expected, kOrphan, std::memory_order_acq_rel)) {
            orphans_.fetch_add(1, std::memory_order_release);
        }
    }

    CachedKernel* value(std::uint32_t index) const { return entries_[index].value.get(); }

    /// The counter that a hit raises. The increment is not atomic; a lost count does no harm.
    Atomic<std::uint8_t>& frequency(std::uint32_t index) { return entries_[index].frequency; }
    /// The key that was last requested right after this one.
    Atomic<std::uint64_t>& successor(std::uint32_t index) { return entries_[index].successor; }
    Atomic<std::uint8_t>& prefetched(std::uint32_t index) { return entries_[index].prefetched; }
    std::uint64_t key(std::uint32_t index) const {
        return entries_[index].key.load(std::memory_order_relaxed);
    }

    // The functions below are the writer's; call them under the cache's lock.

    /// Takes a free entry for `key`, pinned once for the caller; kNone when all are in use.
    std::uint32_t insert(std::uint64_t key, std::unique_ptr<CachedKernel> value) {
        const std::uint32_t index = free_;
        if (index == kNone) return kNone;
        Entry& e = entries_[index];
        free_ = e.next_free;
        e.key.store(key, std::memory_order_relaxed);
        e.value = std::move(value);
        e.frequency.store(0, std::memory_order_relaxed);
        e.prefetched.store(0, std::memory_order_relaxed);
        e.successor.store(0, std::memory_order_relaxed);
        // Added, not stored: a reader that was looking for the entry's previous key may be counted.
        e.pins.fetch_add(kLive + 1, std::memory_order_release);
        const std::uint64_t hash = mix(key);
        std::uint64_t at = hash & slot_mask_;
        while (slots_[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & slot_mask_;
        slots_[at].store((hash >> 32) << 32 | (index + 1), std::memory_order_release);
        return index;
    }

    /// Whether the entry is alive and holds `key` (for the policy's queues).
    bool holds(std::uint32_t index, std::uint64_t key) {
        const Entry& e = entries_[index];
        return this->key(index) == key && (e.pins.load(std::memory_order_acquire) & kLive) != 0;
    }

    /// Removes an entry that has no pins and returns its value; null when it is pinned.
    std::unique_ptr<CachedKernel> evict_unpinned(std::uint32_t index) {
        Entry& e = entries_[index];
        std::uint64_t expected = kLive;
        if (!e.pins.compare_exchange_strong(expected, 0, std::memory_order_acq_rel)) return nullptr;
        unlink(index);
        return reclaim(index);
    }

    /// Removes an entry even if it is pinned. Returns its value when it has no pins; otherwise
    /// collect_orphans returns it after the last unpin.
    std::unique_ptr<CachedKernel> remove(std::uint32_t index) {
        unlink(index);
        Entry& e = entries_[index];
        // live → doomed in one step; both are single bits above the count.
        const std::uint64_t was = e.pins.fetch_add(kDoomed - kLive, std::memory_order_acq_rel);
        if ((was & kCountMask) != 0) return nullptr;
        std::uint64_t expected = kDoomed;
        if (!e.pins.compare_exchange_strong(expected, 0, std::memory_order_acq_rel)) return nullptr;
        return reclaim(index);
    }

    /// Calls `sink(value)` for every removed entry whose last pin is gone.
    template <typename Sink>
    void collect_orphans(Sink sink) {
        if (orphans_.load(std::memory_order_acquire) == 0) return;
        for (std::uint32_t i = 0; i < entry_count_; ++i) {
            // A late reader may hold the entry for a moment; then the next call frees it.
            std::uint64_t expected = kOrphan;
            if (entries_[i].pins.compare_exchange_strong(expected, 0, std::memory_order_acq_rel)) {
                orphans_.fetch_sub(1, std::memory_order_relaxed);
                sink(reclaim(i));
            }
        }
    }

  private:
    std::unique_ptr<CachedKernel> reclaim(std::uint32_t index) {
        Entry& e = entries_[index];
        std::unique_ptr<CachedKernel> value = std::move(e.value);
        e.next_free = free_;
        free_ = index;
        return value;
    }

    static constexpr std::uint64_t kLive = std::uint64_t{1} << 40;
    static constexpr std::uint64_t kDoomed = std::uint64_t{1} << 41;
    static constexpr std::uint64_t kOrphan = std::uint64_t{1} << 42;
    static constexpr std::uint64_t kCountMask = kLive - 1;

    struct alignas(64) Entry {
        Atomic<std::uint64_t> pins{0};
        Atomic<std::uint64_t> key{0};  // constant while the entry is alive
        std::unique_ptr<CachedKernel> value;
        Atomic<std::uint64_t> successor{0};
        Atomic<std::uint8_t> frequency{0};
        Atomic<std::uint8_t> prefetched{0};
        std::uint32_t next_free = 0;
    };

    static std::uint64_t mix(std::uint64_t key) {
        std::uint64_t x = key + 0x9e3779b97f4a7c15ull;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
        return x ^ (x >> 31);
    }

    bool pin_if(std::uint32_t index, std::uint64_t key) {
        Entry& e = entries_[index];
        const std::uint64_t was = e.pins.fetch_add(1, std::memory_order_acq_rel);
        if ((was & kLive) != 0) {
            if (this->key(index) == key) return true;
        }
        unpin(index);
        return false;
    }

    void unlink(std::uint32_t index) {
        moves_.fetch_add(1, std::memory_order_acq_rel);
        const std::uint64_t hash = mix(key(index));
        const std::uint64_t wanted = (hash >> 32) << 32 | (index + 1);
        std::uint64_t hole = hash & slot_mask_;
        while (slots_[hole].load(std::memory_order_relaxed) != wanted) {
            hole = (hole + 1) & slot_mask_;
        }
        // Move later entries of the same probe sequence into the hole, so that no search stops
        // there.
        for (std::uint64_t at = (hole + 1) & slot_mask_;; at = (at + 1) & slot_mask_) {
            const std::uint64_t slot = slots_[at].load(std::memory_order_relaxed);
            if (slot == 0) break;
            const std::uint64_t home = mix(key(static_cast<std::uint32_t>(slot) - 1)) & slot_mask_;
            if (((at - home) & slot_mask_) >= ((at - hole) & slot_mask_)) {
                slots_[hole].store(slot, std::memory_order_release);
                hole = at;
            }
        }
        slots_[hole].store(0, std::memory_order_release);
        moves_.fetch_add(1, std::memory_order_acq_rel);
    }

    std::uint32_t entry_count_;
    std::uint64_t slot_mask_ = 0;
    std::uint32_t free_ = kNone;
    std::unique_ptr<Entry[]> entries_;
    std::unique_ptr<Atomic<std::uint64_t>[]> slots_;
    alignas(64) Atomic<std::uint64_t> moves_{0};
    Atomic<std::uint64_t> orphans_{0};
};

using PinTable = BasicPinTable<StdAtomics>;

}  // namespace esper::execution
