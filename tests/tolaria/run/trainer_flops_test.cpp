// What a run says that it spent.

#include "esper/services/tolaria/run/planned_cost.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

double sum_of(const nlohmann::json& flops) {
    double sum = 0;
    for (const auto& [purpose, spent] : flops.items()) sum += spent.get<double>();
    return sum;
}

TEST(RunFlops, OfARunThatDoesNotGrowAreThePlannedOnes) {
    Folder folder("planned");
    auto trainer = start(small(), folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto data = value_or_throw(open_data(small()));
    const auto planned = value_or_throw(planned_cost(small(), *data, trainer->program()));
    const auto run = run_json(folder.path);
    const auto& flops = run.at("flops");
    EXPECT_EQ(flops.at("training"), planned.training);
    EXPECT_EQ(flops.at("validation"), planned.validation);
    EXPECT_EQ(flops.at("test"), planned.test);
    EXPECT_GT(planned.test, 0);
    EXPECT_GT(flops.at("recording"), 0.0);
    EXPECT_GT(flops.at("sampling"), 0.0);
    EXPECT_EQ(flops.at("measuring"), 0.0);
    EXPECT_EQ(run.at("flops_total").get<double>(), sum_of(flops));
}

TEST(RunFlops, OfAGrowingRunAddUpByPurpose) {
    Folder folder("purposes");
    auto config = growing();
    config.growth.gate.fork_share = 1;
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    for (const auto* purpose :
         {"training", "validation", "test", "measuring", "forks", "sampling", "recording"})
        EXPECT_GT(run.at("flops").at(purpose), 0.0) << purpose;
    EXPECT_EQ(run.at("flops_total").get<double>(), sum_of(run.at("flops")));
}

TEST(RunFlops, OfTimingThePrecisionsAreCounted) {
    auto config = small();
    config.run.precision = configs::Precision::kAuto;
    config.run.deterministic = false;
    Folder folder("timed");
    auto trainer = start(config, folder.path);
    const auto cost = value_or_throw(graph::count_cost(*trainer->program()));
    EXPECT_EQ(run_json(folder.path).at("flops").at("precision"),
              training_flops(cost, 8 * config.data.batch_size));
}

TEST(Precision, OfADeterministicRunIsNotDecidedByTime) {
    auto config = small();
    config.run.precision = configs::Precision::kAuto;
    Folder folder("ruled");
    auto trainer = start(config, folder.path);
    // Far too small for bf16 to pay, whatever the processor.
    EXPECT_EQ(trainer->config().run.precision, configs::Precision::kFp32);
    const auto events = events_of(folder.path, "precision");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].at("chosen"), "fp32");
    EXPECT_FALSE(events[0].contains("fp32_ms"));
    EXPECT_NE(text_of(folder.path / "config.yaml").find("precision: fp32"), std::string::npos);
}

TEST(BatchSize, LargerThanTheTrainingPartIsRefusedByName) {
    auto config = small();
    config.data.train_examples = 100;
    config.data.batch_size = 101;
    Folder folder("batch");
    const auto refused = Trainer::create(config, folder.path);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(TolariaError::kUnsupported));
    EXPECT_EQ(refused.error().exit_code(), 2);
    EXPECT_NE(refused.error().message().find("data.batch_size is 101"), std::string::npos);
    EXPECT_NE(refused.error().message().find("100 examples"), std::string::npos);
    EXPECT_FALSE(fs::exists(folder.path)) << "refused before anything was written";
    config.data.batch_size = 100;
    EXPECT_TRUE(Trainer::create(config, folder.path));
}

}  // namespace
}  // namespace esper::tolaria
