#include "esper/services/tolaria/learn/learner.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <limits>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/engine/memory/allocation_watch.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/program/shapes.h"
#include "esper/services/tolaria/learn/block_settings.h"

namespace esper::tolaria {
namespace {

constexpr std::int64_t kContext = 8;
constexpr std::int64_t kClasses = 11;

configs::EsperConfig config() {
    configs::EsperConfig config;
    config.run.seed = 5;
    config.run.precision = configs::Precision::kFp32;
    config.optimization.learning_rate = 0.01;
    return config;
}

graph::ProgramPtr host() {
    core::HostSpec spec;
    spec.kind = "gpt";
    spec.depth = 1;
    spec.width = 16;
    spec.heads = 2;
    spec.context = kContext;
    spec.classes = kClasses;
    spec.dropout = 0.1;
    return value_or_throw(core::make_host(spec));
}

std::vector<at::Tensor> batch(std::int64_t n) {
    at::manual_seed(static_cast<std::uint64_t>(n));
    return {at::randint(kClasses, {4, kContext}, at::kLong),
            at::randint(kClasses, {4, kContext}, at::kLong)};
}

/// A learner whose host grows by hand.
struct Grown {
    Learner learner{Learner::options_of(config())};
    std::unique_ptr<execution::KasminaLayer> kasmina;

    Grown() {
        at::set_num_threads(1);
        const auto program = host();
        EXPECT_TRUE(learner.begin(program));
        std::vector<std::string> anchors;
        for (const auto& anchor : program->anchors()) anchors.push_back(anchor.name);
        kasmina = std::make_unique<execution::KasminaLayer>(program, anchors, learner.store());
        kasmina->on_program([this](const graph::ProgramPtr& p) { learner.adopt(p); });
    }
    std::string germinate() {
        const auto& slot = kasmina->slots()[0];
        const auto* anchor = learner.program()->find_anchor(slot.anchor);
        auto type = value_or_throw(graph::infer_types(*learner.program()))[anchor->value.value()];
        type.shape[0] = -1;
        const auto blueprint =
            value_or_throw(blueprints::make_blueprint("low_rank", *anchor, type));
        const auto name = kasmina->next_seed();
        EXPECT_TRUE(kasmina->germinate(0, "low_rank", blueprint.program, true, {0, 0}, ""));
        return name;
    }
    StepRule rule(std::int64_t step) const {
        return {step, 0.01, [this](const std::string& block, std::int64_t age) {
                    return block_settings(config(), kasmina->treatment(block), age);
                }};
    }
    double step(std::int64_t n) { return value_or_throw(learner.step(batch(n), rule(n))).loss; }
};

bool same_tensors(const Learner& a, const Learner& b) {
    Tensors one, two;
    a.save("", one);
    b.save("", two);
    if (one.size() != two.size()) return false;
    for (const auto& [name, tensor] : one)
        if (!two.contains(name) || !at::equal(tensor, two.at(name))) return false;
    return true;
}

TEST(Learner, SavedAndRestoredTrainsOnToTheSameBits) {
    Grown run;
    for (int i = 0; i < 3; ++i) run.step(i);
    run.germinate();
    for (int i = 3; i < 6; ++i) run.step(i);
    Tensors tensors;
    const auto saved = run.learner.save("x.", tensors);
    for (auto& [name, tensor] : tensors) tensor = tensor.clone();
    Learner other(Learner::options_of(config()));
    ASSERT_TRUE(other.restore(saved, "x.", tensors));
    EXPECT_EQ(other.program()->hash(), run.learner.program()->hash());
    EXPECT_TRUE(same_tensors(run.learner, other));
    for (int i = 6; i < 9; ++i) {
        const auto loss = run.step(i);
        EXPECT_EQ(value_or_throw(other.step(batch(i), run.rule(i))).loss, loss) << i;
    }
    EXPECT_TRUE(same_tensors(run.learner, other));
}

TEST(Learner, WithoutASeedInIsolationItIsTheLearnerThatNeverHadIt) {
    Grown run;
    Grown never;
    for (int i = 0; i < 3; ++i) {
        run.step(i);
        never.step(i);
    }
    const auto seed = run.germinate();
    for (int i = 3; i < 6; ++i) {
        run.step(i);
        never.step(i);
    }
    const auto clone = value_or_throw(run.learner.clone_without({seed}));
    EXPECT_EQ(clone->program()->hash(), never.learner.program()->hash());
    EXPECT_TRUE(same_tensors(*clone, never.learner));
    ASSERT_TRUE(clone->step(batch(6), never.rule(6)));
    never.step(6);
    EXPECT_TRUE(same_tensors(*clone, never.learner));
}

TEST(Learner, ForgetsWhatTheOptimizerKnewOfABlockThatIsGone) {
    Grown run;
    const auto seed = run.germinate();
    run.step(0);
    ASSERT_TRUE(run.learner.optimizer().state().contains("seed." + seed));
    ASSERT_TRUE(run.kasmina->cull(0, 0, {1, 0}, ""));
    EXPECT_FALSE(run.learner.optimizer().state().contains("seed." + seed));
    EXPECT_TRUE(run.learner.optimizer().state().contains("host"));
}

TEST(Learner, MovesNothingWhereTheLossIsNoNumber) {
    Grown run;
    run.step(0);
    const auto block = run.learner.store().find_block("host");
    at::Tensor(block->flat).fill_(std::numeric_limits<float>::quiet_NaN());
    const auto steps = run.learner.optimizer().state().at("host").steps;
    const auto made = run.learner.step(batch(1), run.rule(1));
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(execution::KernelError::kNotFinite));
    EXPECT_EQ(run.learner.optimizer().state().at("host").steps, steps);
}

TEST(Learner, RefusesTensorsThatDoNotFit) {
    Grown run;
    run.step(0);
    Tensors tensors;
    const auto saved = run.learner.save("", tensors);
    Learner other(Learner::options_of(config()));
    auto without = tensors;
    without.erase("block.host");
    EXPECT_TRUE(other.restore(saved, "", without).error().is(TolariaError::kBadCheckpoint));
    auto smaller = tensors;
    smaller["block.host"] = tensors.at("block.host").narrow(0, 0, 16);
    EXPECT_TRUE(other.restore(saved, "", smaller).error().is(TolariaError::kBadCheckpoint));
    auto nobody = saved;
    nobody.blocks.push_back("seed.s9");
    EXPECT_TRUE(other.restore(nobody, "", tensors).error().is(TolariaError::kBadCheckpoint));
    auto homeless = saved;
    homeless.blocks.clear();
    EXPECT_TRUE(other.restore(homeless, "", tensors).error().is(TolariaError::kBadCheckpoint));
}

TEST(Learner, AllocatesNothingThatTheCheckpointDoesNotBring) {
    Grown run;
    Tensors tensors;
    auto saved = run.learner.save("", tensors);
    Learner other(Learner::options_of(config()));
    const auto program = saved.program;
    const auto first = program.find("param ");
    for (const std::string declares :
         {"param huge: f32[1000000000] normal(1)\n", "buffer huge: f32[1000000000] zeros\n"}) {
        saved.program = program;
        saved.program.insert(first, declares);
        const graph::AllocationWatch watch;
        const auto restored = other.restore(saved, "", tensors);
        ASSERT_FALSE(restored);
        EXPECT_TRUE(restored.error().is(TolariaError::kBadCheckpoint))
            << restored.error().to_string();
        EXPECT_LT(watch.largest(), 1 << 20);
    }
}

}  // namespace
}  // namespace esper::tolaria
