#include "esper/execution/kernels/kernel_cache.h"

#include <fmt/format.h>

#include <algorithm>

namespace esper::execution {
namespace {

constexpr std::size_t kMaxFailures = 4096;
constexpr std::size_t kMaxTraces = 16384;
// Most prefetches that may wait for a worker. With more, the source is too slow for prefetching; a
// kernel that is not prefetched is loaded by its first user.
constexpr std::uint32_t kMaxBackground = 64;

/// The last request of this thread, to learn which kernel follows which.
struct LastAccess {
    std::uint64_t cache = 0;
    std::uint32_t entry = 0;
    std::uint64_t id = 0;
};
thread_local LastAccess last_access;
std::atomic<std::uint64_t> next_serial{1};

}  // namespace

KernelCache::KernelCache(KernelCacheOptions options, KernelSource& source, DiskTier* disk,
                         ThreadPool* pool, Clock& clock)
    : options_(options),
      serial_(next_serial.fetch_add(1)),
      source_(source),
      disk_(disk),
      pool_(pool),
      clock_(clock),
      table_(options.max_entries) {
    if (options.max_entries == 0 || options.max_bytes == 0) {
        throw EsperException(fail(CacheError::kBadOptions,
                                  "a kernel cache needs room for at least one byte and one entry")
                                 .value());
    }
    if (disk_ != nullptr) banned_ = disk_->banned();
}

KernelCache::~KernelCache() {
    std::unique_lock lock(mutex_);
    closing_ = true;
    idle_.wait(lock, [this] { return background_ == 0; });
}

std::size_t KernelCache::stripe_of_thread() {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
    return mine;
}

void KernelCache::note_order(std::uint32_t entry, std::uint64_t id) {
    LastAccess& last = last_access;
    if (last.cache == serial_ && last.id != id && table_.key(last.entry) == last.id) {
        auto& successor = table_.successor(last.entry);
        if (successor.load(std::memory_order_relaxed) != id) {
            successor.store(id, std::memory_order_relaxed);
        }
    }
    last = {serial_, entry, id};
}

void KernelCache::note_hit(std::uint32_t entry, std::uint64_t id) {
    Stripe& stripe = stripes_[stripe_of_thread()];
    stripe.hits.fetch_add(1, std::memory_order_relaxed);
    auto& frequency = table_.frequency(entry);
    const std::uint8_t count = frequency.load(std::memory_order_relaxed);
    if (count < S3Fifo::kMaxFrequency) {
        frequency.store(static_cast<std::uint8_t>(count + 1), std::memory_order_relaxed);
    }
    auto& prefetched = table_.prefetched(entry);
    if (prefetched.load(std::memory_order_relaxed) != 0 &&
        prefetched.exchange(0, std::memory_order_relaxed) != 0) {
        stripe.prefetch_useful.fetch_add(1, std::memory_order_relaxed);
    }
    note_order(entry, id);
}

KernelPin KernelCache::find(std::uint64_t id) {
    const std::uint32_t entry = table_.find(id);
    if (entry == PinTable::kNone) return {};
    note_hit(entry, id);
    return {&table_, entry};
}

Result<KernelPin> KernelCache::get(std::uint64_t id) {
    if (KernelPin pin = find(id)) return pin;
    return load(id, false, options_.prefetch_depth);
}

std::optional<Error> KernelCache::refusal_locked(std::uint64_t id) {
    if (const auto it = banned_.find(id); it != banned_.end()) {
        ++counted_.misses[static_cast<std::size_t>(MissCause::kBanned)];
        return fail(CacheError::kBanned,
                    fmt::format("kernel {:016x} was permanently evicted: {}", id, it->second))
            .value();
    }
    const auto it = failures_.find(id);
    if (it == failures_.end() || clock_.now_ns() >= it->second.retry_at_ns) return std::nullopt;
    ++counted_.misses[static_cast<std::size_t>(MissCause::kBackingOff)];
    const std::int64_t wait_ms = (it->second.retry_at_ns - clock_.now_ns()) / 1'000'000;
    return fail(CacheError::kBackingOff,
                fmt::format("kernel {:016x} failed to load {} times, next try in {} ms; last: {}",
                            id, it->second.times, wait_ms, it->second.message))
        .value();
}

void KernelCache::note_failure_locked(std::uint64_t id, const Error& error) {
    if (failures_.size() >= kMaxFailures && !failures_.contains(id)) {
        failures_.erase(failures_.begin());
    }
    Failure& f = failures_[id];
    const auto doublings = std::min(f.times, 30u);
    const std::int64_t wait = std::min<std::int64_t>(options_.first_backoff.count() << doublings,
                                                     options_.longest_backoff.count());
    ++f.times;
    f.retry_at_ns = clock_.now_ns() + wait;
    f.message = error.to_string();
    ++counted_.load_failures;
}

Result<std::unique_ptr<CachedKernel>> KernelCache::bring(std::uint64_t id) {
    if (disk_ != nullptr) {
        if (auto bytes = disk_->get(id)) {
            auto kernel = source_.load(id, std::move(*bytes));
            if (kernel) {
                std::lock_guard lock(mutex_);
                ++counted_.disk_hits;
                return kernel;
            }
            disk_->remove(id);  // intact, but refused by load(): try the source's copy
        }
    }
    ESPER_TRY(std::string bytes, source_.fetch(id));
    const std::string kept = disk_ != nullptr ? bytes : std::string();
    ESPER_TRY(std::unique_ptr<CachedKernel> kernel, source_.load(id, std::move(bytes)));
    // Only loadable kernels are kept. If the disk is full, the kernel must be fetched again later.
    if (disk_ != nullptr) (void)disk_->put(id, kept);
    std::lock_guard lock(mutex_);
    ++counted_.fetched;
    return kernel;
}

Result<KernelPin> KernelCache::load(std::uint64_t id, bool prefetching, std::uint32_t depth) {
    std::shared_ptr<Flight> flight;
    bool counted_miss = prefetching;
    for (;;) {
        std::unique_lock lock(mutex_);
        if (const std::uint32_t entry = table_.find(id); entry != PinTable::kNone) {
            lock.unlock();
            if (counted_miss) {
                note_order(entry, id);
            } else {
                note_hit(entry, id);
            }
            return KernelPin(&table_, entry);
        }
        if (auto refusal = refusal_locked(id)) return tl::unexpected<Error>(std::move(*refusal));
        if (!counted_miss) {
            const auto trace = traces_.find(id);
            const MissCause cause = trace == traces_.end() ? MissCause::kCold : trace->second.cause;
            ++counted_.misses[static_cast<std::size_t>(cause)];
            counted_miss = true;
        }
        if (const auto it = flights_.find(id); it != flights_.end()) {
            ++counted_.joined;
            const std::shared_ptr<Flight> other = it->second;
            lock.unlock();
            std::unique_lock waiting(other->mutex);
            other->ended.wait(waiting, [&] { return other->done; });
            if (other->error) return tl::unexpected<Error>(*other->error);
            continue;
        }
        flight = std::make_shared<Flight>();
        flights_[id] = flight;
        break;
    }

    Result<std::unique_ptr<CachedKernel>> kernel = [&]() -> decltype(bring(id)) {
        try {
            return bring(id);
        } catch (const std::exception& e) {
            return fail(CacheError::kSourceThrew,
                        fmt::format("loading kernel {:016x} threw: {}", id, e.what()));
        }
    }();
    Values dead;
    KernelPin pin;
    std::optional<Error> error;
    std::uint64_t next = 0;
    {
        std::lock_guard lock(mutex_);
        if (kernel && banned_.contains(id)) {
            dead.push_back(std::move(*kernel));
            error = refusal_locked(id);
        } else if (kernel) {
            failures_.erase(id);
            next = successor_locked(id);
            pin = keep_locked(id, std::move(*kernel), dead);
            if (prefetching) ++counted_.prefetched;
            if (prefetching && pin.table_ != nullptr) {
                table_.prefetched(pin.entry_).store(1, std::memory_order_relaxed);
            }
        } else {
            note_failure_locked(id, kernel.error());
            error = kernel.error();
        }
        flights_.erase(id);
    }
    {
        std::lock_guard lock(flight->mutex);
        flight->done = true;
        flight->error = error;
    }
    flight->ended.notify_all();
    if (error) return tl::unexpected<Error>(std::move(*error));
    if (!prefetching && pin.table_ != nullptr) note_order(pin.entry_, id);
    if (next != 0 && depth > 0) schedule(next, depth - 1);
    return pin;
}

KernelPin KernelCache::keep_locked(std::uint64_t id, std::unique_ptr<CachedKernel> kernel,
                                   Values& dead) {
    const std::uint64_t charge = kernel->charge();
    if (!make_room_locked(charge, 1, MissCause::kCapacity, dead)) {
        remember_locked(id, MissCause::kTooLarge, 0);
        return KernelPin(std::move(kernel));
    }
    const std::uint64_t successor = successor_locked(id);
    const std::uint32_t entry = table_.insert(id, std::move(kernel));
    table_.successor(entry).store(successor, std::memory_order_relaxed);
    policy_.insert(entry, id, charge);
    bytes_ += charge;
    ++entries_;
    return {&table_, entry};
}

void KernelCache::collect_locked(Values& dead) {
    table_.collect_orphans([&](std::unique_ptr<CachedKernel> kernel) {
        bytes_ -= kernel->charge();
        --entries_;
        dead.push_back(std::move(kernel));
    });
}

/// The interface of the cache for its eviction policy.
struct KernelCache::Evictor {
    KernelCache& cache;
    MissCause cause;
    Values& dead;

    bool gone(std::uint32_t entry, std::uint64_t key) const {
        return !cache.table_.holds(entry, key);
    }
    std::uint8_t frequency(std::uint32_t entry) const {
        return cache.table_.frequency(entry).load(std::memory_order_relaxed);
    }
    // A hit may raise the count between the reading and this; losing that count does no harm.
    void set_frequency(std::uint32_t entry, std::uint8_t count) const {
        cache.table_.frequency(entry).store(count, std::memory_order_relaxed);
    }
    bool evict(std::uint32_t entry, std::uint64_t key) const {
        const std::uint64_t successor =
            cache.table_.successor(entry).load(std::memory_order_relaxed);
        auto kernel = cache.table_.evict_unpinned(entry);
        if (!kernel) return false;
        cache.bytes_ -= kernel->charge();
        --cache.entries_;
        ++cache.counted_.evictions;
        cache.remember_locked(key, cause, successor);
        dead.push_back(std::move(kernel));
        return true;
    }
};

bool KernelCache::make_room_locked(std::uint64_t bytes, std::uint64_t entries, MissCause cause,
                                   Values& dead) {
    collect_locked(dead);
    if (bytes > options_.max_bytes) return false;
    while (bytes_ + bytes > options_.max_bytes || entries_ + entries > options_.max_entries) {
        if (!policy_.evict_one(Evictor{*this, cause, dead})) return false;
    }
    return true;
}

void KernelCache::remember_locked(std::uint64_t id, MissCause cause, std::uint64_t successor) {
    const auto [it, fresh] = traces_.try_emplace(id);
    it->second.cause = cause;
    if (successor != 0) it->second.successor = successor;
    if (!fresh) return;
    trace_order_.push_back(id);
    if (trace_order_.size() > kMaxTraces) {
        traces_.erase(trace_order_.front());
        trace_order_.pop_front();
    }
}

std::uint64_t KernelCache::successor_locked(std::uint64_t id) {
    const auto it = traces_.find(id);
    return it == traces_.end() ? 0 : it->second.successor;
}

void KernelCache::schedule(std::uint64_t id, std::uint32_t depth) {
    if (pool_ == nullptr) return;
    {
        std::lock_guard lock(mutex_);
        if (closing_ || background_ >= kMaxBackground || banned_.contains(id) ||
            failures_.contains(id) || flights_.contains(id)) {
            return;
        }
        ++background_;
    }
    pool_->post([this, id, depth] {
        { const auto ignored = load(id, true, depth); }
        std::lock_guard lock(mutex_);
        --background_;
        idle_.notify_all();
    });
}

void KernelCache::prefetch(std::uint64_t id) {
    const std::uint32_t entry = table_.find(id);
    if (entry == PinTable::kNone) {
        schedule(id, options_.prefetch_depth);
    } else {
        table_.unpin(entry);
    }
}

void KernelCache::remove(std::uint64_t id) {
    Values dead;
    {
        std::lock_guard lock(mutex_);
        collect_locked(dead);
        failures_.erase(id);
        const std::uint32_t entry = table_.find(id);
        if (entry != PinTable::kNone) {
            remember_locked(id, MissCause::kRemoved, 0);
            if (auto kernel = table_.remove(entry)) dead.push_back(std::move(kernel));
            table_.unpin(entry);
            collect_locked(dead);
        }
    }
    if (disk_ != nullptr) disk_->remove(id);
}

Status KernelCache::ban(std::uint64_t id, std::string_view reason) {
    {
        std::lock_guard lock(mutex_);
        banned_.try_emplace(id, reason);
    }
    remove(id);
    return disk_ != nullptr ? disk_->ban(id, reason) : Status{};
}

bool KernelCache::is_banned(std::uint64_t id) const {
    std::lock_guard lock(mutex_);
    return banned_.contains(id);
}

CacheStats KernelCache::stats() const {
    CacheStats s;
    {
        std::lock_guard lock(mutex_);
        s = counted_;
        s.bytes = bytes_;
        s.entries = entries_;
        s.byte_budget = options_.max_bytes;
    }
    if (disk_ != nullptr) s.disk_corrupt = disk_->corrupt_found();
    for (const Stripe& stripe : stripes_) {
        s.hits += stripe.hits.load(std::memory_order_relaxed);
        s.prefetch_useful += stripe.prefetch_useful.load(std::memory_order_relaxed);
    }
    return s;
}

}  // namespace esper::execution
