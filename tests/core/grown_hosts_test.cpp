// Every host, plain and with every blueprint at an anchor: the joint Program gives the same bits as
// eager autograd, and a seed in isolation changes no bit of the host.

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/trained_hosts.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/model_wrapper.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/program/anchor_types.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/edits.h"
#include "esper/program/loss.h"
#include "program/run_program.h"

namespace esper::core {
namespace {

using graph::ProgramPtr;
using graph::TensorStore;
using testing::batch_for;
using testing::joint;
using testing::small_hosts;
using testing::Step;

Step eager(const ProgramPtr& program, const TensorStore& store,
           const std::vector<at::Tensor>& batch) {
    auto interpreter = value_or_throw(graph::Interpreter::make(program, true));
    auto bindings = value_or_throw(graph::Interpreter::bind(*program, store, batch));
    std::vector<at::Tensor> wanted;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < bindings.parameters.size(); ++i) {
        if (!program->parameters()[i].trainable) continue;
        bindings.parameters[i] = bindings.parameters[i].detach().requires_grad_(true);
        wanted.push_back(bindings.parameters[i]);
        names.push_back(program->parameters()[i].name);
    }
    auto loss = value_or_throw(interpreter.run(bindings)).front();
    auto gradients = torch::autograd::grad({loss}, wanted, {}, {}, false, true);
    Step step{loss.detach(), {}};
    for (std::size_t i = 0; i < names.size(); ++i) step.gradients[names[i]] = gradients[i];
    return step;
}

/// Expects every gradient of `expected` in `got`, bit for bit. Zeros may stand for a missing one.
void expect_same(const Step& expected, const Step& got) {
    EXPECT_TRUE(at::equal(expected.loss, got.loss));
    for (const auto& [name, gradient] : expected.gradients) {
        const auto& other = got.gradients.at(name);
        if (gradient.defined())
            EXPECT_TRUE(other.defined() && at::equal(gradient, other)) << name;
        else
            EXPECT_TRUE(!other.defined() || other.abs().sum().item<double>() == 0) << name;
    }
}

void expect_joint_equals_eager(const ProgramPtr& program, const TensorStore& store,
                               const std::vector<at::Tensor>& batch) {
    auto for_eager = store.clone();
    auto for_joint = store.clone();
    expect_same(eager(program, for_eager, batch), joint(program, for_joint, batch));
    for (const auto& [name, buffer] : for_eager.buffers())
        EXPECT_TRUE(at::equal(buffer, for_joint.buffers().at(name))) << name;
}

TEST(Hosts, TrainAlikeAsJointProgramsAndEagerly) {
    for (const auto& spec : small_hosts()) {
        auto host = value_or_throw(make_host(spec));
        SCOPED_TRACE(host->name());
        auto program = value_or_throw(with_loss(*host, {}));
        graph::testing::Bench bench(program);
        expect_joint_equals_eager(program, bench.store, batch_for(program));
    }
}

TEST(GptHost, JoinsTheGradientsOfQueriesKeysAndValues) {
    auto host = value_or_throw(
        make_host({.kind = "gpt", .depth = 2, .width = 32, .heads = 2, .context = 8}));
    auto program = value_or_throw(with_loss(*host, {}));
    graph::testing::Bench bench(program);
    std::map<std::string, std::size_t> counts[2];
    for (bool rewrite : {false, true}) {
        auto recorded = value_or_throw(graph::JointProgram::record(
            {program,
             true,
             graph::Precision::kFloat32,
             {"loss"},
             {},
             {},
             rewrite ? graph::Rewrites::kExact : graph::Rewrites::kNone},
            bench.store, batch_for(program)));
        for (const auto& [name, count] : recorded.operator_histogram())
            counts[rewrite ? 1 : 0][name] = count;
    }
    EXPECT_EQ(counts[0]["aten::select_backward"], 6U);
    EXPECT_EQ(counts[1]["aten::select_backward"], 0U);
    EXPECT_EQ(counts[1]["aten::stack"], 2U);
}

TEST(Hosts, CanBeCostedWithTheirLoss) {
    for (const auto& spec : small_hosts())
        for (bool per_example : {false, true}) {
            auto host = value_or_throw(make_host(spec));
            auto program = value_or_throw(with_loss(*host, {0.1, per_example}));
            auto alone = graph::count_cost(*host);
            auto cost = graph::count_cost(*program);
            ASSERT_TRUE(cost) << cost.error().to_string();
            EXPECT_GT(cost->forward_flops, alone->forward_flops);
            EXPECT_LT(cost->forward_flops, alone->forward_flops * 3 / 2);
        }
}

TEST(GrownHosts, CannotNoticeASeedInIsolationAndTrainAlikeWithItBlended) {
    for (const auto& spec : small_hosts()) {
        auto host = value_or_throw(make_host(spec));
        auto model = value_or_throw(wrap(host));
        auto types = value_or_throw(graph::anchor_types(*host));
        auto plain = value_or_throw(with_loss(*host, {}));
        graph::testing::Bench bench(plain);
        const auto batch = batch_for(plain);
        const auto before = eager(plain, bench.store.clone(), batch);
        const auto& slot = model.slots[model.slots.size() / 2];
        const auto& anchor = model.anchor_of(slot);
        for (const auto& name : blueprints::blueprint_names(anchor.kind, true)) {
            SCOPED_TRACE(name + " in " + host->name() + " at " + anchor.name);
            auto blueprint =
                value_or_throw(blueprints::make_blueprint(name, anchor, types[slot.anchor]));
            auto isolated = value_or_throw(graph::apply(
                *host, graph::InsertSeed{slot.name, anchor.name, name, blueprint.program}));
            auto program = value_or_throw(with_loss(*isolated, {}));
            auto store = bench.store.clone();
            ASSERT_TRUE(store.add(*program, slot.name));

            auto in_isolation = store.clone();
            auto after = joint(program, in_isolation, batch);
            expect_same(before, after);
            double seed_gradient = 0;
            for (const auto& [parameter, gradient] : after.gradients)
                if (parameter.starts_with("seed."))
                    seed_gradient += gradient.abs().sum().item<double>();
            EXPECT_EQ(seed_gradient > 0, blueprint.has_parameters);

            auto blended = value_or_throw(
                graph::apply(*isolated, graph::SetSeedMode{slot.name, graph::SeedMode::kBlended}));
            auto grown = value_or_throw(with_loss(*blended, {}));
            ASSERT_TRUE(store.add(*grown, slot.name));
            ASSERT_TRUE(store.set_control("alpha." + slot.name, 0.5));
            expect_joint_equals_eager(grown, store, batch);
        }
    }
}

}  // namespace
}  // namespace esper::core
