#include "esper/engine/memory/memory_plan.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "esper/engine/memory/arena.h"
#include "esper/engine/memory/memory_layout.h"

namespace esper::graph {
namespace {

bool overlap(std::size_t a, std::size_t a_end, std::size_t b, std::size_t b_end) {
    return a < b_end && b < a_end;
}

TEST(MemoryLayout, PiecesThatAreNeededAtTheSameTimeDoNotOverlap) {
    std::mt19937 random(1);
    for (int round = 0; round < 50; ++round) {
        std::vector<Lifetime> pieces;
        for (int i = 0; i < 60; ++i) {
            const auto begin = static_cast<std::uint32_t>(random() % 100);
            pieces.push_back({random() % 100'000, begin, begin + 1 + std::uint32_t(random() % 30)});
        }
        const auto layout = lay_out(pieces);
        std::size_t most = 0;
        for (std::uint32_t moment = 0; moment < 140; ++moment) {
            std::size_t live = 0;
            for (const auto& p : pieces)
                if (p.begin <= moment && moment < p.end) live += p.bytes;
            most = std::max(most, live);
        }
        EXPECT_LE(layout.bytes, most * 5 / 4);
        for (std::size_t a = 0; a < pieces.size(); ++a) {
            EXPECT_EQ(layout.offsets[a] % 64, 0U);
            EXPECT_LE(layout.offsets[a] + pieces[a].bytes, layout.bytes);
            for (std::size_t b = 0; b < a; ++b) {
                const bool together =
                    overlap(pieces[a].begin, pieces[a].end, pieces[b].begin, pieces[b].end);
                EXPECT_FALSE(together &&
                             overlap(layout.offsets[a], layout.offsets[a] + pieces[a].bytes,
                                     layout.offsets[b], layout.offsets[b] + pieces[b].bytes));
            }
        }
    }
}

constexpr std::int64_t kElements = 1 << 20;

at::Tensor filled(double value, std::int64_t n = kElements) { return at::full({n}, value); }

/// Two pieces at once, then a third; returns the third, which outlives the run.
at::Tensor step(double value, std::vector<const void*>& places, std::int64_t last = kElements) {
    const auto a = filled(value);
    at::Tensor result;
    {
        const auto b = filled(2 * value);
        places = {a.const_data_ptr(), b.const_data_ptr()};
        result = a.add(b);
    }
    const auto c = filled(value, last);
    places.push_back(c.const_data_ptr());
    EXPECT_EQ(a[kElements - 1].item<double>(), value);
    return result;
}

TEST(MemoryPlan, TheSecondRunAndThoseAfterItUseTheSamePlaces) {
    MemoryPlan plan;
    std::vector<std::vector<const void*>> places(3);
    std::vector<at::Tensor> kept;
    for (int i = 0; i < 3; ++i) {
        const MemoryPlan::Run run(plan);
        kept.push_back(step(i + 1, places[static_cast<std::size_t>(i)]));
    }
    EXPECT_EQ(places[1], places[2]);
    EXPECT_EQ(places[1][1], places[1][2]);  // the third is needed after the second was freed
    EXPECT_GE(plan.bytes(), 2 * kElements * sizeof(float));
    EXPECT_LT(plan.bytes(), 3 * kElements * sizeof(float));
    EXPECT_EQ(plan.departures(), 0);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(at::equal(kept[static_cast<std::size_t>(i)], filled(3 * (i + 1))));
}

TEST(MemoryPlan, ARunThatAsksForSomethingElseStillHasItsMemory) {
    MemoryPlan plan;
    std::vector<const void*> places;
    for (int i = 0; i < 8; ++i) {
        const MemoryPlan::Run run(plan);
        const auto result = step(i + 1, places, i == 3 ? 2 * kElements : kElements);
        EXPECT_TRUE(at::equal(result, filled(3 * (i + 1))));
    }
    EXPECT_EQ(plan.departures(), 1);
    EXPECT_GT(plan.bytes(), 0U);
}

TEST(MemoryPlan, WhatUnexpectedlyOutlivesARunIsNotWrittenOver) {
    MemoryPlan plan;
    const auto run_once = [&](double value, bool keeps) {
        const MemoryPlan::Run run(plan);
        const auto a = filled(value);
        const auto b = filled(value);
        return keeps ? a : at::Tensor();
    };
    run_once(1, false);
    const auto kept = run_once(2, true);
    run_once(3, false);
    run_once(4, false);
    EXPECT_TRUE(at::equal(kept, filled(2)));
}

TEST(MemoryPlan, RunsOnTwoThreadsAtOnceDoNotShareMemory) {
    const auto work = [](double value, bool& right) {
        MemoryPlan plan;
        for (int i = 0; i < 20; ++i) {
            std::vector<const void*> places;
            const MemoryPlan::Run run(plan);
            right = right && at::equal(step(value, places), filled(3 * value));
        }
    };
    bool first = true, second = true;
    std::thread other([&] { work(1, first); });
    work(2, second);
    other.join();
    EXPECT_TRUE(first && second);
}

TEST(MemoryPlan, UnusedArenasGiveTheirMemoryBack) {
    MemoryPlan plan;
    std::vector<const void*> places;
    for (int i = 0; i < 2; ++i) {
        const MemoryPlan::Run run(plan);
        step(1, places);
    }
    EXPECT_GE(Arenas::all().bytes(), plan.bytes());
    Arenas::all().drop_unused();
    EXPECT_EQ(Arenas::all().bytes(), 0U);
    const MemoryPlan::Run run(plan);
    EXPECT_TRUE(at::equal(step(1, places), filled(3)));
}

}  // namespace
}  // namespace esper::graph
