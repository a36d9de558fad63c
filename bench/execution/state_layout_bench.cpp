// The seeds' state table. With `--walk N` it compares N random operations with the
// plain model instead (10⁹ takes a few minutes).

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "bench_report.h"
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
    StateTable lines(64, Layout::kLinePerSeed), columns(64, Layout::kColumns);
    report.add_pairs("transition beside a rival, a line a seed", "ns",
                     bench::interleave_beside(40, 20'000, cycle(lines, 0), cycle(lines, 1),
                                              cycle(columns, 0), cycle(columns, 1)),
                     "dense columns");
    // Six cache lines per seed instead of one make no difference for one seed, but for many.
    constexpr std::uint32_t kSeeds = 10'000;
    StateTable many(kSeeds, Layout::kLinePerSeed), padded(kSeeds, Layout::kPaddedColumns);
    report.add_pairs("transition of 10,000 seeds in turn, a line a seed", "ns",
                     bench::interleave(40, kSeeds, rounds(many), rounds(padded)), "padded columns");
}

/// What an epoch's boundary does to the table: every row's seal is checked.
void seals(bench::Report& report) {
    constexpr std::uint32_t kSeeds = 10'000;
    const StateTable table(kSeeds);
    auto ns = bench::sample(50, 5, [&] { bench::keep(table.verify()); });
    for (double& x : ns) x /= 1000;
    report.add_goal("seals of 10,000 seeds checked", "us", ns, 1000);
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
    seals(report);
    return report.finish(argc, argv);
}
