#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "esper/execution/states/state_table.h"
#include "execution/states/interleaving.h"

#if defined(__SANITIZE_THREAD__)
#define ESPER_SKIP_UNDER_TSAN() GTEST_SKIP() << "fibers are not threads to ThreadSanitizer"
#else
#define ESPER_SKIP_UNDER_TSAN()
#endif

namespace esper::execution {
namespace {

using esper::testing::Exploration;
using esper::testing::Interleaver;
using esper::testing::Scenario;
using esper::testing::TracedAtomics;
using Table = BasicStateTable<TracedAtomics>;
using enum SeedState;

Transition germinate(std::uint32_t seed, std::uint64_t kernel) {
    return {.seed = seed, .to = kGerminated, .kernel_id = kernel};
}

/// A table whose seed 0 is in GRAFTING.
std::shared_ptr<Table> grafting_table(std::uint32_t seeds) {
    auto table = std::make_shared<Table>(seeds);
    for (SeedState to : {kGerminated, kLoading, kTraining, kGrafting}) {
        EXPECT_TRUE(table->transition({.seed = 0, .to = to, .kernel_id = 7}));
    }
    return table;
}

void expect_clean(const Exploration& e, std::uint64_t at_least_states) {
    EXPECT_EQ(e.failure, "");
    EXPECT_GE(e.states, at_least_states);
    ::testing::Test::RecordProperty("executions", std::to_string(e.executions));
}

/// The checker itself must find the classic lost update.
TEST(Interleaving, TheCheckerFindsALostUpdate) {
    ESPER_SKIP_UNDER_TSAN();
    const Exploration e = Interleaver().explore([] {
        auto x = std::make_shared<TracedAtomics::Atomic<std::uint32_t>>(0u);
        auto add = [x] { x->store(x->load() + 1); };
        return Scenario{{add, add}, [x] { return x->load() == 2 ? "" : "an update was lost"; }};
    });
    EXPECT_NE(e.failure.find("an update was lost"), std::string::npos);
}

TEST(Interleaving, TheCheckerFindsADeadlock) {
    ESPER_SKIP_UNDER_TSAN();
    const Exploration e = Interleaver().explore([] {
        using Lock = TracedAtomics::Atomic<std::uint32_t>;
        auto a = std::make_shared<Lock>(0u), b = std::make_shared<Lock>(0u);
        auto take = [](Lock& lock) {
            while (lock.exchange(1) != 0) TracedAtomics::relax(0);
        };
        auto both = [take](const std::shared_ptr<Lock>& first,
                           const std::shared_ptr<Lock>& second) {
            return [=] {
                take(*first), take(*second);
                second->store(0), first->store(0);
            };
        };
        return Scenario{{both(a, b), both(b, a)}, [] { return std::string(); }};
    });
    EXPECT_NE(e.failure.find("deadlock"), std::string::npos);
}

TEST(Interleaving, OfTwoGerminationsOneWinsAndTheRowIsWholly_TheWinners) {
    ESPER_SKIP_UNDER_TSAN();
    expect_clean(Interleaver().explore([] {
        auto table = std::make_shared<Table>(1u);
        auto won = std::make_shared<std::array<bool, 2>>();
        auto racer = [=](std::size_t i) {
            return [=] { (*won)[i] = table->transition(germinate(0, i + 1)).has_value(); };
        };
        return Scenario{{racer(0), racer(1)}, [=]() -> std::string {
                            const SeedRecord r = *table->read(0);
                            if ((*won)[0] == (*won)[1]) return "not exactly one winner";
                            if (r.kernel_id != ((*won)[0] ? 1u : 2u)) return "the loser's kernel";
                            if (r.state != kGerminated || r.version != 2) return "a torn row";
                            return table->verify() ? "" : "a broken seal";
                        }};
    }),
                 20);
}

TEST(Interleaving, ThreeThreadsErrorsAreAllCountedAndOneMovesTheSeed) {
    ESPER_SKIP_UNDER_TSAN();
    expect_clean(Interleaver().explore([] {
        auto table = grafting_table(1);
        auto moved = std::make_shared<int>(0);
        auto fault = [=] {
            if (*table->record_error(0, 5) == kErrorRecovery) ++*moved;
        };
        return Scenario{{fault, fault, fault}, [=]() -> std::string {
                            const SeedRecord r = *table->read(0);
                            if (r.error_count != 3) return "a lost error";
                            if (r.state != kErrorRecovery) return "the third error did not act";
                            if (*moved != 1) return "not exactly one error moved the seed";
                            return table->verify() ? "" : "a broken seal";
                        }};
    }),
                 100);
}

TEST(Interleaving, AFaultAndACullRaceAndTheHistoryIsOneOfTheLegalOnes) {
    ESPER_SKIP_UNDER_TSAN();
    expect_clean(Interleaver().explore([] {
        auto table = grafting_table(1);
        for (int i = 0; i < 2; ++i) EXPECT_TRUE(table->record_error(0, 1));
        auto culled = std::make_shared<bool>(false);
        auto rolled_back = std::make_shared<bool>(false);
        auto fault = [=] { (void)table->record_error(0, 1); };
        auto cull = [=] { *culled = table->transition({.seed = 0, .to = kCulled}).has_value(); };
        auto roll_back = [=] {
            *rolled_back =
                table->transition({.seed = 0, .to = kRolledBack, .actor = ComponentType::kTolaria})
                    .has_value();
        };
        return Scenario{{fault, cull, roll_back}, [=]() -> std::string {
                            const SeedRecord r = *table->read(0);
                            if (r.error_count != 3) return "a lost error";
                            if (!*rolled_back) return "roll-back refused";
                            if (r.state != kRolledBack) return "a rolled-back seed moved on";
                            return table->verify() ? "" : "a broken seal";
                        }};
    }),
                 200);
}

TEST(Interleaving, ASnapshotIsOfOneMomentWhileAWriterRuns) {
    ESPER_SKIP_UNDER_TSAN();
    // Seed 0 germinates strictly before seed 1, so no moment has only seed 1 germinated.
    expect_clean(Interleaver().explore([] {
        auto table = std::make_shared<Table>(2u);
        auto seen = std::make_shared<StateSnapshot>();
        auto writer = [=] {
            (void)table->transition(germinate(0, 1));
            (void)table->transition(germinate(1, 1));
        };
        auto observer = [=] { table->snapshot(*seen); };
        return Scenario{
            {writer, observer}, [=]() -> std::string {
                return seen->state[1] == 1 && seen->state[0] == 0 ? "a moment that never was" : "";
            }};
    }),
                 300);
}

}  // namespace
}  // namespace esper::execution
