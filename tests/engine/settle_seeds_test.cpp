#include "esper/program/edits/settle_seeds.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "esper/program/edits/edits.h"
#include "esper/program/text/text_format.h"
#include "program/run_program.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

ProgramPtr with_seed(const ProgramPtr& host, const std::string& seed, SeedMode mode) {
    auto program =
        value_or_throw(apply(*host, InsertSeed{seed, "fc1", "bottleneck", small_blueprint()}));
    if (mode == SeedMode::kIsolated) return program;
    return value_or_throw(apply(*program, SetSeedMode{seed, mode}));
}

TEST(SettleSeeds, AKeptSeedBecomesAnOrdinaryPartThatComputesTheSame) {
    const auto grown = with_seed(small_host(), "s1", SeedMode::kFolded);
    const auto host = value_or_throw(settle_seeds(*grown));
    EXPECT_TRUE(seeds_in(*host).empty());
    EXPECT_EQ(host->parameter_count(), grown->parameter_count());
    ASSERT_NE(host->find_parameter("grown.s1.up.weight"), nullptr);
    EXPECT_EQ(host->find_parameter("seed.s1.up.weight"), nullptr);

    Bench before(grown);
    Bench after(host);
    for (const char* name : {"down.weight", "up.weight"}) {
        auto into = value_or_throw(after.store.find(std::string("grown.s1.") + name));
        into.copy_(value_or_throw(before.store.find(std::string("seed.s1.") + name)));
    }
    const auto x = input_for(host->inputs()[0], 5);
    EXPECT_TRUE(at::equal(before.run({x})[0], after.run({x})[0]));
}

TEST(SettleSeeds, ASettledHostGrowsAgainAndSettlesAgain) {
    auto host = small_host();
    for (int generation = 0; generation < 3; ++generation)
        host = value_or_throw(settle_seeds(*with_seed(host, "s1", SeedMode::kFolded)));
    for (const char* scope : {"grown.s1", "grown.s1-2", "grown.s1-3"})
        EXPECT_NE(host->find_parameter(std::string(scope) + ".up.weight"), nullptr) << scope;
}

TEST(SettleSeeds, AProgramWithoutSeedsStaysAsItIs) {
    const auto host = small_host();
    EXPECT_EQ(to_text(*value_or_throw(settle_seeds(*host))), to_text(*host));
}

TEST(SettleSeeds, ASeedThatIsNotKeptYetIsRefused) {
    for (const auto mode : {SeedMode::kIsolated, SeedMode::kBlended}) {
        const auto refused = settle_seeds(*with_seed(small_host(), "s7", mode));
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(GraphError::kIllegalEdit));
        EXPECT_NE(refused.error().message().find("s7"), std::string::npos);
    }
}

}  // namespace
}  // namespace esper::graph
