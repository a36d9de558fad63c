// A stop ends whatever goes on at its next pass through the network, and costs no bit.

#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

/// Germinates, measures candidates, keeps forks and looks at gates.
configs::EsperConfig busy() {
    auto config = growing();
    config.growth.gate.fork_share = 1;
    config.growth.gate.lag = configs::Duration::batches(2);
    return config;
}

/// Asks for a stop at the n-th event of a kind, so that what follows it is interrupted.
RunStatus run_until_event(Trainer& trainer, const std::string& kind, int n) {
    int seen = 0;
    trainer.on_event([&](const nlohmann::json& event) {
        if (event.at("event") == kind && ++seen == n) trainer.request_stop();
    });
    return value_or_throw(trainer.run());
}

// `health` comes first in a boundary, `readout` after a candidate, `scale` and `gate` after their
// measurements, `sample` before the first germination, `decision` before it is carried out.
class Stop : public testing::TestWithParam<const char*> {};

TEST_P(Stop, InsideABoundaryLeavesTheCheckpointBeforeItAndResumesToTheSameBits) {
    const auto config = busy();
    Folder whole("stop-whole");
    Folder pieces("stop-pieces");
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    const auto events = events_of(whole.path, GetParam());
    ASSERT_FALSE(events.empty()) << "the run has no " << GetParam();
    const auto n = static_cast<int>((events.size() + 1) / 2);
    {
        auto trainer = start(config, pieces.path);
        ASSERT_EQ(run_until_event(*trainer, GetParam(), n), RunStatus::kStopped);
        const auto at = events[static_cast<std::size_t>(n) - 1].at("step").get<std::int64_t>();
        EXPECT_LE(trainer->step(), at);
        EXPECT_EQ(run_json(pieces.path).at("status"), "stopped");
        EXPECT_EQ(run_json(pieces.path).at("steps"), trainer->step());
        EXPECT_EQ(run_json(pieces.path).at("program_sha256"), trainer->program()->hash().hex());
    }
    ASSERT_EQ(value_or_throw(value_or_throw(Trainer::resume(config, pieces.path))->run()),
              RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
    expect_replays(pieces.path);
}

INSTANTIATE_TEST_SUITE_P(AtEachKindOfWork, Stop,
                         testing::Values("health", "readout", "sample", "scale", "gate",
                                         "transition"));

TEST(StopSignal, EndsAPassOnlyWhereItIsHeeded) {
    Folder folder("signal");
    auto trainer = start(small(), folder.path);
    StopSignal signal;
    auto& engine = trainer->engine();
    engine.heed(&signal);
    const auto data = value_or_throw(open_data(small()));
    const auto evaluate = [&] {
        return evaluate_part(engine, trainer->program(), trainer->store(), *data, Part::kProbe, 32);
    };
    signal.request();
    EXPECT_TRUE(evaluate());
    {
        const StopSignal::Heeded heeded(signal);
        const auto ended = evaluate();
        ASSERT_FALSE(ended);
        EXPECT_TRUE(ended.error().is(TolariaError::kStopped));
    }
    EXPECT_TRUE(evaluate());
    engine.heed(nullptr);
}

TEST(StopAtTheEnd, DuringTheFinalTestPassResumesToTheSameBits) {
    Folder whole("final-whole");
    Folder pieces("final-pieces");
    ASSERT_EQ(value_or_throw(start(small(), whole.path)->run()), RunStatus::kDone);
    const auto last = run_json(whole.path).at("steps");
    {
        auto trainer = start(small(), pieces.path);
        trainer->on_event([&](const nlohmann::json& event) {
            if (event.at("event") == "checkpoint" && event.at("step") == last)
                trainer->request_stop();
        });
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
        EXPECT_TRUE(run_json(pieces.path).at("test_loss").is_null());
    }
    ASSERT_EQ(value_or_throw(value_or_throw(Trainer::resume(small(), pieces.path))->run()),
              RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
}

}  // namespace
}  // namespace esper::tolaria
