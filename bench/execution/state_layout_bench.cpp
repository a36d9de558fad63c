// Seed state table and blend kernels. With `--walk N` it compares N random operations with the
// plain model instead (10⁹ takes a few minutes).

#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "bench_report.h"
#include "esper/base/thread_pool.h"
#include "esper/engine/kernels/alpha_blend.h"
#include "esper/execution/states/state_layout.h"
#include "execution/states/state_model.h"
#include "execution/tick_timer.h"

namespace {

using namespace esper;
using namespace esper::execution;
using enum contracts::SeedState;

constexpr SeedState kCycle[] = {kGerminated, kCancelled, kDormant};

/// The obvious table: one lock, rows in a vector.
class LockedTable {
  public:
    explicit LockedTable(std::uint32_t seeds) : rows_(seeds) {}
    Status transition(const Transition& move) {
        std::lock_guard lock(mutex_);
        SeedRecord& row = rows_[move.seed];
        ESPER_CHECK_STATUS(check(row, move));
        apply(row, move);
        return {};
    }
    std::vector<SeedRecord> snapshot() {
        std::lock_guard lock(mutex_);
        return rows_;
    }

  private:
    std::mutex mutex_;
    std::vector<SeedRecord> rows_;
};

template <typename Table>
auto cycle(Table& table, std::uint32_t seed) {
    return [&table, seed, i = 0u]() mutable {
        bench::keep(table.transition({.seed = seed, .to = kCycle[i % 3], .kernel_id = 1}));
        ++i;
    };
}

/// Moves one seed after another, each through the same cycle.
auto rounds(StateTable& table) {
    return [&table, i = 0u]() mutable {
        const std::uint32_t seed = i % table.size();
        bench::keep(
            table.transition({.seed = seed, .to = kCycle[i / table.size() % 3], .kernel_id = 1}));
        ++i;
    };
}

void transitions(bench::Report& report) {
    const bench::TickTimer timer;
    StateTable table(64);
    LockedTable locked(64);
    constexpr std::size_t kCalls = 30;
    report.add_goal("transition p50, alone", "ns", timer.each(10'000, cycle(table, 0), kCalls), 20,
                    0.5);
    {
        const bench::Pinned pinned(0);
        const bench::Rival rival(cycle(table, 1));
        report.add_goal("transition p50, rival on the next seed", "ns",
                        timer.each(10'000, cycle(table, 0), kCalls), 20, 0.5);
        report.add_goal("transition p99, rival on the next seed", "ns",
                        timer.each(300'000, cycle(table, 0)), 100, 0.99);
    }
    report.add_pairs("transition beside a rival", "ns",
                     bench::interleave_beside(40, 20'000, cycle(table, 0), cycle(table, 1),
                                              cycle(locked, 0), cycle(locked, 1)),
                     "mutexed rows");
    StateTable lines(64, 16, Layout::kLinePerSeed), columns(64, 16, Layout::kColumns);
    report.add_pairs("transition beside a rival, a line a seed", "ns",
                     bench::interleave_beside(40, 20'000, cycle(lines, 0), cycle(lines, 1),
                                              cycle(columns, 0), cycle(columns, 1)),
                     "dense columns");
    // Six cache lines per seed instead of one make no difference for one seed, but for many.
    constexpr std::uint32_t kSeeds = 10'000;
    StateTable many(kSeeds, 16, Layout::kLinePerSeed), padded(kSeeds, 16, Layout::kPaddedColumns);
    report.add_pairs("transition of 10,000 seeds in turn, a line a seed", "ns",
                     bench::interleave(40, kSeeds, rounds(many), rounds(padded)), "padded columns");
}

void snapshots(bench::Report& report) {
    constexpr std::uint32_t kSeeds = 10'000;
    StateTable table(kSeeds);
    StateSnapshot out;
    report.add_goal(
        "snapshot of 10,000 seeds", "us",
        [&] {
            auto ns = bench::sample(50, 5, [&] { table.snapshot(out); });
            for (double& x : ns) x /= 1000;
            return ns;
        }(),
        1000);
    // While the peer copies, its writers wait; ours go on.
    LockedTable locked(kSeeds);
    report.add_pairs("transition while snapshots are taken", "ns",
                     bench::interleave_beside(
                         20, 5'000, cycle(table, 0), [&] { bench::keep(table.snapshot()); },
                         cycle(locked, 0), [&] { bench::keep(locked.snapshot()); }),
                     "mutexed rows");
}

/// Runs `f(from, to)` on parts of 0 … n with all cores.
template <typename F>
void on_all_cores(ThreadPool& pool, std::size_t n, F f) {
    std::vector<std::future<void>> parts;
    const std::size_t each = (n / pool.size() + 63) / 64 * 64;
    for (std::size_t from = 0; from < n; from += each) {
        const std::size_t to = std::min(n, from + each);
        parts.push_back(pool.submit([=] { f(from, to); }));
    }
    for (auto& p : parts) p.get();
}

/// A copy past the caches, where the processor has one.
void stream_copy(void* to, const void* from, std::size_t bytes) {
#if defined(__SSE2__)
    auto* out = static_cast<__m128i*>(to);
    const auto* in = static_cast<const __m128i*>(from);
    const std::size_t n = bytes / sizeof(__m128i);
    for (std::size_t i = 0; i + 4 <= n; i += 4) {
        for (std::size_t k = 0; k < 4; ++k)
            _mm_stream_si128(out + i + k, _mm_loadu_si128(in + i + k));
    }
    _mm_sfence();
#else
    std::memcpy(to, from, bytes);
#endif
}

/// Reads two arrays and writes one past the caches, with hardly any arithmetic: the most bytes per
/// second that a blend can move on this machine.
void stream_either(void* to, const void* a, const void* b, std::size_t bytes) {
#if defined(__SSE2__)
    auto* out = static_cast<__m128i*>(to);
    const auto* x = static_cast<const __m128i*>(a);
    const auto* y = static_cast<const __m128i*>(b);
    for (std::size_t i = 0; i + 4 <= bytes / sizeof(__m128i); i += 4) {
        for (std::size_t k = i; k < i + 4; ++k)
            _mm_stream_si128(out + k, _mm_or_si128(_mm_loadu_si128(x + k), _mm_loadu_si128(y + k)));
    }
    _mm_sfence();
#else
    auto* out = static_cast<std::byte*>(to);
    const auto* x = static_cast<const std::byte*>(a);
    const auto* y = static_cast<const std::byte*>(b);
    for (std::size_t i = 0; i < bytes; ++i) out[i] = x[i] | y[i];
#endif
}

/// The blend's bytes per second relative to the machine's fastest copy of as many bytes.
template <typename T>
void blends(bench::Report& report, const char* type) {
    constexpr std::size_t kBytes = std::size_t{256} << 20;
    const std::size_t n = kBytes / sizeof(T);
    ThreadPool pool(std::thread::hardware_concurrency());
    using Line = struct alignas(64) {
        std::byte bytes[64];
    };
    // Aligned, so that the allocator does not decide which loop is used.
    std::vector<Line> lines_y(kBytes / 64), lines_s(kBytes / 64), lines_out(kBytes / 64);
    const std::span y(reinterpret_cast<T*>(lines_y.data()), n);
    const std::span s(reinterpret_cast<T*>(lines_s.data()), n);
    const std::span out(reinterpret_cast<T*>(lines_out.data()), n);
    bool streams = false;
    auto copy = [&] {
        on_all_cores(pool, n, [&](std::size_t from, std::size_t to) {
            const std::size_t bytes = (to - from) * sizeof(T);
            if (streams) {
                stream_copy(out.data() + from, y.data() + from, bytes);
            } else {
                std::memcpy(out.data() + from, y.data() + from, bytes);
            }
        });
    };
    const double plain = bench::median(bench::sample(7, 1, copy));
    streams = true;
    streams = bench::median(bench::sample(7, 1, copy)) < plain;
    fmt::print("best copy of {}: {}\n", type, streams ? "past the caches" : "memcpy");
    auto forward = [&] {
        on_all_cores(pool, n, [&](std::size_t from, std::size_t to) {
            alpha_blend(y.data() + from, s.data() + from, 0.3f, out.data() + from, to - from);
        });
    };
    auto backward = [&] {
        on_all_cores(pool, n, [&](std::size_t from, std::size_t to) {
            bench::keep(alpha_blend_backward(y.data() + from, s.data() + from, 0.3f,
                                             out.data() + from, static_cast<T*>(nullptr),
                                             to - from));
        });
    };
    auto either = [&] {
        on_all_cores(pool, n, [&](std::size_t from, std::size_t to) {
            stream_either(out.data() + from, y.data() + from, s.data() + from,
                          (to - from) * sizeof(T));
        });
    };
    auto share = [&](auto work, auto peer, double peer_arrays) {
        const bench::Samples pairs = bench::interleave(15, 1, work, peer);
        std::vector<double> shares;
        for (std::size_t i = 0; i < pairs.ours.size(); ++i) {
            shares.push_back(3 * pairs.peer[i] / (peer_arrays * pairs.ours[i]));
        }
        return shares;
    };
    auto row = [&](const char* pass, auto work) {
        const std::string name = std::string("blend ") + type + " " + pass;
        // The blend moves three arrays, the copy two.
        report.add_goal(name + ", share of copy bandwidth", "share", share(work, copy, 2), 0.98,
                        0.5, bench::Better::kHigher);
        report.add_goal(name + ", share of the same traffic without arithmetic", "share",
                        share(work, either, 3), 0.98, 0.5, bench::Better::kHigher);
    };
    row("forward", forward);
    row("backward", backward);
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], "--walk") == 0) {
            const std::uint64_t n = std::strtoull(argv[i + 1], nullptr, 10);
            const std::string problem = esper::testing::walk_against_model(n, 7);
            fmt::print("{} random operations: {}\n", n,
                       problem.empty() ? "the table and the model agree" : problem);
            if (!problem.empty()) return 1;
            bench::Report report("state_walk");
            const std::vector<double> agreed(2, static_cast<double>(n));
            report.add_goal("operations that agree with a plain model", "operations", agreed, 1e9,
                            0.5, bench::Better::kHigher);
            return report.finish(argc, argv);
        }
    }
    bench::Report report("state_layout");
    transitions(report);
    snapshots(report);
    blends<float>(report, "fp32");
    blends<Bf16>(report, "bf16");
    return report.finish(argc, argv);
}
