// Foreign code writes over the table of the seeds' states.

#include "esper/execution/states/state_layout.h"
#include "tolaria/small_runs.h"

namespace esper::execution {

struct StateTableTestAccess {
    static void scribble(const StateTable& table, std::uint32_t seed, std::size_t word) {
        auto& words = const_cast<StateTable&>(table);
        words.word(seed, word).fetch_add(1, std::memory_order_relaxed);
    }
};

}  // namespace esper::execution

namespace esper::tolaria {
namespace {

using namespace testing_runs;

TEST(BrokenSeal, StopsTheRunAtTheNextBoundaryAndAResumeStartsFromBefore) {
    const Folder folder("seal");
    const Folder undisturbed("no-seal");
    const auto config = growing();
    {
        auto trainer = start(config, folder.path);
        const auto epoch = trainer->length().steps_per_epoch;
        while (trainer->step() <= epoch) run_one_step(*trainer);
        execution::StateTableTestAccess::scribble(trainer->growth()->kasmina().table(), 0, 3);
        trainer->stop_after(trainer->length().total_steps);
        const auto ended = trainer->run();
        ASSERT_FALSE(ended);
        EXPECT_TRUE(ended.error().is(execution::StateError::kCorrupt)) << ended.error().to_string();
        EXPECT_EQ(ended.error().error_class(), ErrorClass::kVerification);
        EXPECT_EQ(trainer->step(), 2 * epoch);
    }
    const auto broken = events_of(folder.path, "broken_seal");
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_NE(broken[0].at("reason").get<std::string>().find("seed 0"), std::string::npos);
    auto trainer = value_or_throw(Trainer::resume(config, folder.path));
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(value_or_throw(start(config, undisturbed.path)->run()), RunStatus::kDone);
    EXPECT_EQ(run_json(folder.path).at("program_sha256"),
              run_json(undisturbed.path).at("program_sha256"));
}

}  // namespace
}  // namespace esper::tolaria
