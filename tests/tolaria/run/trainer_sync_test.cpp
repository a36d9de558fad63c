// A disk that stops syncing, at the first or at one of the last syncs of a run.

#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

configs::EsperConfig shortest() {
    auto config = small();
    config.run.epochs = 1;
    config.run.steps_per_epoch = 1;
    return config;
}

std::uint64_t syncs_of_a_run() {
    Folder folder("counted");
    auto trainer = value_or_throw(Trainer::create(shortest(), folder.path));
    EXPECT_TRUE(FaultPoints::arm("files.sync@1000000"));
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    return FaultPoints::passes("files.sync");
}

TEST(TrainerSync, ARunSaysThatItIsDoneIfItEndedWithoutAnErrorAndOnlyThen) {
    const auto syncs = syncs_of_a_run();
    ASSERT_GT(syncs, 5U);
    for (const auto from : {std::uint64_t{1}, syncs - 1, syncs}) {
        Folder folder("sync");
        auto trainer = value_or_throw(Trainer::create(shortest(), folder.path));
        const std::string spec = "files.sync@" + std::to_string(from) + "+";
        ASSERT_TRUE(FaultPoints::arm(spec));
        const auto ended = trainer->run();
        ASSERT_GT(FaultPoints::fired("files.sync"), 0U) << spec;
        FaultPoints::disarm_all();
        trainer.reset();
        EXPECT_EQ(run_json(folder.path).at("status") == "done", ended.has_value()) << spec;
        if (ended) continue;
        auto resumed = value_or_throw(Trainer::resume(shortest(), folder.path));
        EXPECT_EQ(value_or_throw(resumed->run()), RunStatus::kDone) << spec;
    }
}

}  // namespace
}  // namespace esper::tolaria
