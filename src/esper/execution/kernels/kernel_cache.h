#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "esper/base/clock.h"
#include "esper/base/thread_pool.h"
#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/kernels/disk_tier.h"
#include "esper/execution/kernels/fifo_eviction.h"
#include "esper/execution/kernels/pin_table.h"

namespace esper::execution {

struct KernelCacheOptions {
    std::uint64_t max_bytes = std::uint64_t{512} << 20;
    std::uint32_t max_entries = 128;
    std::chrono::nanoseconds first_backoff = std::chrono::milliseconds(100);
    std::chrono::nanoseconds longest_backoff = std::chrono::seconds(60);
    std::uint32_t prefetch_depth = 2;  ///< kernels to load ahead, as predicted by past accesses
};

/// Keeps a kernel in memory while it exists, even if the kernel is removed from the cache. Movable.
/// May be destroyed on any thread, but before the cache.
class KernelPin {
  public:
    KernelPin() = default;
    KernelPin(KernelPin&& other) noexcept { *this = std::move(other); }
    KernelPin& operator=(KernelPin&& other) noexcept {
        reset();
        table_ = std::exchange(other.table_, nullptr);
        entry_ = other.entry_;
        own_ = std::move(other.own_);
        return *this;
    }
    ~KernelPin() { reset(); }

    explicit operator bool() const { return get() != nullptr; }
    CachedKernel* get() const { return table_ != nullptr ? table_->value(entry_) : own_.get(); }
    CachedKernel* operator->() const { return get(); }
    void reset() {
        if (table_ != nullptr) table_->unpin(entry_);
        table_ = nullptr;
        own_.reset();
    }

  private:
    friend class KernelCache;
    KernelPin(PinTable* table, std::uint32_t entry) : table_(table), entry_(entry) {}
    explicit KernelPin(std::unique_ptr<CachedKernel> own) : own_(std::move(own)) {}

    PinTable* table_ = nullptr;
    std::uint32_t entry_ = 0;
    std::unique_ptr<CachedKernel> own_;  // a kernel that the cache had no room for
};

/// Kernels by id (SeedRecord::kernel_id), in memory and on disk, limited in bytes and entries.
/// Thread-safe. A hit takes no lock. On a miss one thread loads the kernel and others wait for it.
/// No lock is held while a kernel is read, fetched, loaded or destroyed.
class KernelCache {
  public:
    /// `disk` and `pool` (for prefetching) may be null. All arguments must outlive the cache.
    KernelCache(KernelCacheOptions options, KernelSource& source, DiskTier* disk = nullptr,
                ThreadPool* pool = nullptr, Clock& clock = system_clock());
    ~KernelCache();
    KernelCache(const KernelCache&) = delete;
    KernelCache& operator=(const KernelCache&) = delete;

    /// The kernel if it is in memory, else an empty pin. Takes no lock.
    KernelPin find(std::uint64_t id);
    /// The kernel; loads it if it is not in memory. Errors: kBanned, kBackingOff (loading failed
    /// recently; the message says when to try again), and those of the source.
    Result<KernelPin> get(std::uint64_t id);
    /// Loads the kernel in the background unless it is in memory. Does nothing without a pool.
    void prefetch(std::uint64_t id);

    /// Removes a kernel from memory and disk. Pins stay valid.
    void remove(std::uint64_t id);
    /// Removes a kernel that faulted and never loads it again, with a disk tier also after a
    /// restart.
    Status ban(std::uint64_t id, std::string_view reason);
    bool is_banned(std::uint64_t id) const;

    CacheStats stats() const;

  private:
    friend struct KernelCacheTestAccess;
    using Values = std::vector<std::unique_ptr<CachedKernel>>;
    struct Flight {
        std::mutex mutex;
        std::condition_variable ended;
        bool done = false;
        std::optional<Error> error;
    };
    struct Failure {
        std::uint32_t times = 0;
        std::int64_t retry_at_ns = 0;
        std::string message;
    };
    /// The record of a kernel that is not in memory.
    struct Trace {
        MissCause cause = MissCause::kCold;
        std::uint64_t successor = 0;
    };
    struct alignas(64) Stripe {
        std::atomic<std::uint64_t> hits{0};
        std::atomic<std::uint64_t> prefetch_useful{0};
    };
    static constexpr std::size_t kStripes = 16;

    static std::size_t stripe_of_thread();
    void note_hit(std::uint32_t entry, std::uint64_t id);
    void note_order(std::uint32_t entry, std::uint64_t id);
    Result<KernelPin> load(std::uint64_t id, bool prefetching, std::uint32_t depth);
    Result<std::unique_ptr<CachedKernel>> bring(std::uint64_t id);
    std::optional<Error> refusal_locked(std::uint64_t id);
    void note_failure_locked(std::uint64_t id, const Error& error);
    KernelPin keep_locked(std::uint64_t id, std::unique_ptr<CachedKernel> kernel, Values& dead);
    struct Evictor;
    bool make_room_locked(std::uint64_t bytes, std::uint64_t entries, MissCause cause,
                          Values& dead);
    void collect_locked(Values& dead);
    void remember_locked(std::uint64_t id, MissCause cause, std::uint64_t successor);
    std::uint64_t successor_locked(std::uint64_t id);
    void schedule(std::uint64_t id, std::uint32_t depth);

    const KernelCacheOptions options_;
    const std::uint64_t serial_;  // unique among the caches of a process
    KernelSource& source_;
    DiskTier* const disk_;
    ThreadPool* const pool_;
    Clock& clock_;

    PinTable table_;
    std::array<Stripe, kStripes> stripes_;

    mutable std::mutex mutex_;
    S3Fifo policy_;
    std::uint64_t bytes_ = 0;
    std::uint64_t entries_ = 0;
    CacheStats counted_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> flights_;
    std::unordered_map<std::uint64_t, Failure> failures_;
    std::unordered_map<std::uint64_t, std::string> banned_;
    std::unordered_map<std::uint64_t, Trace> traces_;
    std::deque<std::uint64_t> trace_order_;
    std::condition_variable idle_;
    std::uint32_t background_ = 0;
    bool closing_ = false;
};

}  // namespace esper::execution
