#pragma once

#include <atomic>
#include <thread>

namespace esper::execution {

/// The atomics that lock-free code here uses. A test replaces them by atomics whose every access is
/// a scheduling point, and so runs all interleavings. A policy has
///   Atomic<T>        load, store, compare_exchange_strong, fetch_add with memory orders,
///   relax(attempt)   called while waiting for another thread; must let that thread run.
struct StdAtomics {
    template <typename T>
    using Atomic = std::atomic<T>;

    static void relax(unsigned attempt) {
        if (attempt < 64) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        } else {
            std::this_thread::yield();
        }
    }
};

}  // namespace esper::execution
