#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "bench_stats.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bench {

/// Times single operations of a few nanoseconds with the processor's time-stamp counter.
class TickTimer {
  public:
    TickTimer() {
        const double start_ns = now_ns();
        const std::uint64_t start = ticks();
        while (now_ns() - start_ns < 20e6) {
        }
        ns_per_tick_ = (now_ns() - start_ns) / static_cast<double>(ticks() - start);
        std::vector<double> empty;
        for (int i = 0; i < 10'000; ++i) {
            const std::uint64_t a = ticks();
            empty.push_back(static_cast<double>(ticks() - a));
        }
        overhead_ = median(std::move(empty));
    }

    static std::uint64_t ticks() {
#if defined(__x86_64__)
        unsigned cpu = 0;
        return __rdtscp(&cpu);
#else
        return static_cast<std::uint64_t>(now_ns());
#endif
    }

    /// Times of `n` calls in ns, less the timer's own cost. The counter of a virtual machine may
    /// advance in steps of 10 ns; with `calls` above 1 each figure is the mean of `calls` calls,
    /// which is precise enough for a median but not for a p99.
    template <typename F>
    std::vector<double> each(std::size_t n, F&& f, std::size_t calls = 1) const {
        std::vector<double> ns(n);
        for (double& x : ns) {
            const std::uint64_t start = ticks();
            for (std::size_t i = 0; i < calls; ++i) f();
            const double taken = static_cast<double>(ticks() - start) - overhead_;
            x = std::max(0.0, taken * ns_per_tick_ / static_cast<double>(calls));
        }
        return ns;
    }

  private:
    double ns_per_tick_ = 0;
    double overhead_ = 0;
};

/// Keeps the calling thread on one core while the object exists. Does nothing except on Linux.
class Pinned {
  public:
    explicit Pinned(unsigned core) {
#if defined(__linux__)
        held_ = sched_getaffinity(0, sizeof(before_), &before_) == 0;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(core % std::max(1u, std::thread::hardware_concurrency()), &one);
        sched_setaffinity(0, sizeof(one), &one);
#endif
    }
    ~Pinned() {
#if defined(__linux__)
        if (held_) sched_setaffinity(0, sizeof(before_), &before_);
#endif
    }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
#if defined(__linux__)
    cpu_set_t before_{};
    bool held_ = false;
#endif
};

/// A thread on the second core that calls `f` again and again while the object exists; the
/// constructor returns after the first call has begun. Use one at a time: two would share a core
/// with each other or with the measured code.
class Rival {
  public:
    explicit Rival(std::function<void()> f)
        : thread_([this, f = std::move(f)] {
              const Pinned pinned(1);
              for (int i = 0; i < 1000; ++i) f();
              begun_.store(true);
              while (!stop_.load(std::memory_order_relaxed)) f();
          }) {
        while (!begun_.load()) std::this_thread::yield();
    }
    ~Rival() {
        stop_.store(true);
        thread_.join();
    }

  private:
    // On a cache line of its own: the measuring thread writes to the same stack.
    alignas(128) std::atomic<bool> begun_{false};
    std::atomic<bool> stop_{false};
    alignas(128) std::thread thread_;
};

/// Pairs as in `interleave`, each side pinned to a core and with its own Rival on the other.
template <typename Ours, typename Peer>
Samples interleave_beside(int pairs, int calls, Ours&& ours,
                          const std::function<void()>& ours_rival, Peer&& peer,
                          const std::function<void()>& peer_rival) {
    const Pinned pinned(0);
    auto with = [calls](auto& f, const std::function<void()>& beside) {
        const Rival rival(beside);
        return ns_per_call(calls, f);
    };
    return alternate(
        pairs, [&] { return with(ours, ours_rival); }, [&] { return with(peer, peer_rival); });
}

}  // namespace bench
