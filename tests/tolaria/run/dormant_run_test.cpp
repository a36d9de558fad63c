// Sleeping seeds cost nothing: a whole run whose controller never wakes one, against the same host
// trained by a loop that knows no seeds. The same operator calls reach libtorch in every step that
// is not sampled for telemetry, and the same bits come out.

#include <ATen/record_function.h>

#include <map>

#include "tolaria/plain_loop.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using esper::testing::PlainLoop;
using testing_runs::Folder;

/// Operators that reach the dispatcher on this thread, by the step in which they do.
class Calls {
  public:
    explicit Calls(std::function<std::int64_t()> step) : step_(std::move(step)) {
        current = this;
        handle_ = at::addThreadLocalCallback(
            at::RecordFunctionCallback(&note).scopes({at::RecordScope::FUNCTION}));
    }
    ~Calls() { stop(); }
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;

    void stop() {
        if (current != this) return;
        at::removeCallback(handle_);
        current = nullptr;
    }
    const std::vector<std::string>& of(std::int64_t step) { return calls_[step]; }

  private:
    static std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& call) {
        current->calls_[current->step_()].emplace_back(call.name());
        return nullptr;
    }
    inline static Calls* current = nullptr;
    std::function<std::int64_t()> step_;
    at::CallbackHandle handle_{};
    std::map<std::int64_t, std::vector<std::string>> calls_;
};

constexpr std::int64_t kEpochs = 2;
constexpr std::int64_t kSteps = 8;  // an epoch
constexpr std::int64_t kSampled = 3;

configs::EsperConfig sleeping(configs::Host host) {
    auto config = testing_runs::small();
    config.run.epochs = kEpochs;
    config.run.steps_per_epoch = kSteps;
    config.telemetry.every = kSampled;
    config.growth.enabled = true;
    config.controller.policy = configs::Policy::kNever;
    if (host != configs::Host::kGpt) {
        config.model.host = host;
        config.model.depth = host == configs::Host::kMlp ? 2 : 8;
        config.model.width = 4;
        config.data.kind = configs::DataKind::kDrawn;
        config.data.batch_size = 16;
        config.optimization.optimizer = configs::Optimizer::kSgd;
    }
    return config;
}

bool is_quiet(std::int64_t step) { return step % kSteps != 0 && (step + 1) % kSampled != 0; }

void compare(const configs::EsperConfig& config, const std::string& name) {
    SCOPED_TRACE(name);
    PlainLoop plain(config);
    Calls plain_calls([&] { return plain.steps_done(); });
    const auto expected = plain.run();
    plain_calls.stop();
    ASSERT_EQ(expected.size(), static_cast<std::size_t>(kEpochs));

    const Folder folder("dormant-" + name);
    auto trainer = testing_runs::start(config, folder.path);
    ASSERT_GT(trainer->seed_slots(), 0U);
    std::vector<PlainLoop::Epoch> epochs;
    trainer->on_progress([&](const Progress& p) {
        if (p.validation_loss) epochs.push_back({p.train_loss, *p.validation_loss});
    });
    Calls calls([&] { return trainer->step(); });
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    calls.stop();

    ASSERT_EQ(epochs.size(), expected.size());
    for (std::size_t i = 0; i < epochs.size(); ++i) {
        EXPECT_EQ(epochs[i].train_loss, expected[i].train_loss) << "epoch " << i + 1;
        EXPECT_EQ(epochs[i].validation_loss, expected[i].validation_loss) << "epoch " << i + 1;
    }
    const auto& ours = trainer->store();
    ASSERT_EQ(ours.blocks().size(), 1U);
    EXPECT_TRUE(at::equal(ours.blocks()[0]->flat, plain.store().blocks()[0]->flat));
    for (const auto& [buffer, value] : plain.store().buffers())
        EXPECT_TRUE(at::equal(value, ours.buffers().at(buffer))) << buffer;

    // The first step records what it runs.
    for (std::int64_t step = 1; step < kEpochs * kSteps; ++step) {
        if (!is_quiet(step)) continue;
        EXPECT_GT(plain_calls.of(step).size(), 3U);
        EXPECT_EQ(calls.of(step), plain_calls.of(step)) << "step " << step;
    }
    // Seeds were there all the time: looked at, shown to the controller, written down.
    EXPECT_GT(calls.of(kSampled - 1).size(), plain_calls.of(kSampled - 1).size());
    const auto health = testing_runs::events_of(folder.path, "health");
    EXPECT_EQ(health.size(), trainer->seed_slots() * static_cast<std::size_t>(kEpochs));
    EXPECT_GT(health.front().at("samples"), 0);
}

TEST(ARunWithSleepingSeeds, TrainsLikeALoopThatKnowsNone) {
    for (const auto host :
         {configs::Host::kGpt, configs::Host::kMlp, configs::Host::kResnet, configs::Host::kVgg})
        compare(sleeping(host), std::string(contracts::to_text(host)));
}

TEST(ARunWithSleepingSeeds, TrainsLikeALoopThatKnowsNoneInBf16) {
    auto config = sleeping(configs::Host::kGpt);
    config.run.precision = configs::Precision::kBf16;
    compare(config, "gpt-bf16");
}

TEST(ARunWithSleepingSeeds, TrainsLikeALoopThatKnowsNoneWithSeveralSeedsAtAnAnchor) {
    auto config = sleeping(configs::Host::kResnet);
    config.growth.seeds_per_anchor = 2;
    compare(config, "two-chunks");
}

}  // namespace
}  // namespace esper::tolaria
