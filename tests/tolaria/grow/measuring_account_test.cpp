// What measuring may cost, and what happens where that is spent (growth.measure_share).

#include "esper/services/tolaria/grow/measuring_account.h"

#include "tolaria/resumed_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

TEST(MeasuringAccount, HasAShareOfTheWholeRunLessWhatMeasuringCost) {
    Flops flops;
    MeasuringAccount account(0.1, flops);
    EXPECT_EQ(account.balance(), 0);
    account.expect(1000);
    EXPECT_DOUBLE_EQ(account.balance(), 100) << "nothing of it is over yet";
    flops.training = 500;
    flops.validation = 200;
    flops.test = 5000;
    account.expect(300);
    EXPECT_DOUBLE_EQ(account.balance(), 100);
    flops.measuring = 30;
    flops.forks = 20;
    flops.shadows = 10;
    EXPECT_DOUBLE_EQ(account.balance(), 40);
    EXPECT_TRUE(account.can_pay(40));
    EXPECT_FALSE(account.can_pay(41));
    flops.unattributed = 1;
    EXPECT_TRUE(account.can_pay(1e30)) << "version 1 did not count by purpose";
}

double measured_against(const nlohmann::json& run) {
    const auto& flops = run.at("flops");
    return flops.at("training").get<double>() + flops.at("validation").get<double>();
}

double spent_on_measuring(const nlohmann::json& run) {
    const auto& flops = run.at("flops");
    return flops.at("measuring").get<double>() + flops.at("forks").get<double>() +
           flops.at("shadows").get<double>();
}

TEST(MeasuringAccount, ThatCouldNotPayForALifeLetsNothingGerminateAndSaysSo) {
    Folder folder("account-empty");
    auto config = growing();
    config.growth.measure_share = 0.02;
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("seeds").at("germinated"), 0);
    EXPECT_TRUE(events_of(folder.path, "readout").empty())
        << "nothing that could not live is tried";
    EXPECT_LT(spent_on_measuring(run), 0.02 * measured_against(run));
    // At the last boundary there is another reason.
    Folder again("account-half");
    auto trainer = start(config, again.path);
    trainer->stop_after(config.run.steps_per_epoch * 3);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    const auto why = run_json(again.path).at("waiting_for").get<std::string>();
    EXPECT_NE(why.find("growth.measure_share"), std::string::npos) << why;
}

class Tight : public testing::TestWithParam<configs::Isolation> {
  protected:
    static configs::EsperConfig config() {
        auto config = growing();
        config.growth.isolation = GetParam();
        config.growth.measure_share = 0.4;
        config.growth.gate.fork_share = 1;
        return config;
    }
};

TEST_P(Tight, AccountIsNotOverdrawnByMoreThanWhatIsNeverRefused) {
    Folder folder("account-tight");
    ASSERT_EQ(value_or_throw(start(config(), folder.path)->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    EXPECT_GE(run.at("seeds").at("germinated"), 1) << run.at("seeds");
    const auto refused = events_of(folder.path, "refused");
    ASSERT_FALSE(refused.empty());
    for (const auto& event : refused)
        EXPECT_GT(event.at("cost").get<double>(), event.at("balance").get<double>()) << event;
    EXPECT_LE(spent_on_measuring(run), 0.41 * measured_against(run));
}

TEST_P(Tight, AccountIsTheSameInARunThatIsStoppedAndResumed) {
    Folder whole("account-whole"), pieces("account-pieces");
    auto trainer = start(config(), whole.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    std::set<std::int64_t> steps;
    for (const auto& event : events_of(whole.path, "refused"))
        steps.insert(event.at("step").get<std::int64_t>() + 1);
    std::erase_if(steps, [&](auto s) { return s >= trainer->length().total_steps; });
    while (steps.size() > 3) steps.erase(std::next(steps.begin()));
    trainer.reset();
    run_in_pieces(config(), pieces.path, steps);
    expect_same_run(whole.path, pieces.path);
}
INSTANTIATE_TEST_SUITE_P(Isolations, Tight,
                         testing::Values(configs::Isolation::kStraightThrough,
                                         configs::Isolation::kShadow),
                         [](const auto& test) {
                             return std::string(contracts::to_text(test.param));
                         });

TEST(MeasuringAccount, LooksWalkNoFurtherThanTheyNeed) {
    Folder folder("account-lazy");
    const auto config = growing();
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto data = value_or_throw(open_data(config));
    const auto gates = events_of(folder.path, "gate");
    ASSERT_FALSE(gates.empty());
    std::int64_t fewest = data->size(Part::kProbe);
    for (const auto& gate : gates)
        fewest = std::min(fewest, gate.at("examples").get<std::int64_t>());
    EXPECT_LT(fewest, data->size(Part::kProbe) / 2);
}

TEST(RunSeconds, SayWhatTheTimeWentInto) {
    Folder folder("seconds");
    ASSERT_EQ(value_or_throw(start(growing(), folder.path)->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    double sum = 0;
    for (const auto* purpose : {"training", "validation", "measuring", "test"}) {
        EXPECT_GT(run.at("seconds").at(purpose), 0.0) << purpose;
        sum += run.at("seconds").at(purpose).get<double>();
    }
    EXPECT_NEAR(sum, run.at("wall_seconds").get<double>(), 0.05);
}

}  // namespace
}  // namespace esper::tolaria
