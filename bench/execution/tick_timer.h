#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "bench_stats.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bench {

/// Times single operations of a few nanoseconds with the processor's own counter.
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

    /// What each of `n` calls took, in ns, less the timer's own cost. The counter of a virtual
    /// machine may advance in steps of 10 ns: with `calls` above 1 each figure is the mean of so
    /// many calls, fine enough for a median (but no longer fit for a p99).
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

/// Another thread that does `f` over and over while this lives.
class Rival {
  public:
    explicit Rival(std::function<void()> f)
        : thread_([this, f = std::move(f)] {
              while (!stop_.load(std::memory_order_relaxed)) f();
          }) {}
    ~Rival() {
        stop_.store(true);
        thread_.join();
    }

  private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace bench
