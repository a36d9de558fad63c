// The tensors of a block that was copied: in the network, and in the optimizer.

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "esper/core/hosts/host.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::tolaria {
namespace {

constexpr std::int64_t kClasses = 11;

struct Host {
    core::HostSpec spec;
    std::string block;
    std::vector<std::int64_t> input;
};

std::vector<Host> hosts() {
    std::vector<Host> all(3);
    all[0] = {
        {.kind = "gpt", .depth = 2, .width = 16, .classes = kClasses, .heads = 2, .context = 8},
        "blocks.1",
        {8}};
    all[1] = {{.kind = "resnet", .depth = 8, .width = 8, .classes = kClasses, .image_size = 8},
              "layer1.0",
              {3, 8, 8}};
    all[2] = {{.kind = "mlp", .depth = 3, .width = 16, .classes = kClasses, .features = 8},
              "layers.2",
              {8}};
    return all;
}

/// A host after twenty steps, and a batch.
struct Trained {
    Learner learner;
    std::vector<at::Tensor> batch;
    graph::SplitTensors tensors;
    std::string copy;

    explicit Trained(const Host& host) : learner(options()) {
        at::set_num_threads(1);
        at::manual_seed(3);
        EXPECT_TRUE(learner.begin(value_or_throw(core::make_host(host.spec))));
        std::vector<std::int64_t> shape{16};
        shape.insert(shape.end(), host.input.begin(), host.input.end());
        const bool tokens = host.spec.kind == "gpt";
        batch = {tokens ? at::randint(kClasses, shape, at::kLong) : at::randn(shape),
                 at::randint(kClasses, tokens ? at::IntArrayRef(shape) : at::IntArrayRef({16}),
                             at::kLong)};
        for (int i = 0; i < 20; ++i) step();
        copy = host.block + "-2";
        const graph::SplitBlock edit{host.block, copy};
        tensors = value_or_throw(graph::split_tensors(*learner.program(), edit));
        after = value_or_throw(graph::apply(*learner.program(), edit));
    }
    static Learner::Options options() {
        Learner::Options options;
        options.store = {7, true};
        options.optimization.learning_rate = 0.005;
        return options;
    }
    double step() {
        const StepRule rule{0, 0.005,
                            [](const std::string&, std::int64_t) { return BlockSettings{}; }};
        return value_or_throw(learner.step(batch, rule)).loss;
    }
    double loss() {
        return value_or_throw(learner.engine().evaluate(learner.program(), learner.store(), batch))
            .losses.mean()
            .item<double>();
    }
    void split() {
        learner.adopt(after);
        ASSERT_TRUE(learner.fill_copy(tensors, copy));
    }

    graph::ProgramPtr after;
};

TEST(FilledCopy, MovesTheForwardByLittleAndLetsBothLearn) {
    for (const auto& host : hosts()) {
        Trained t(host);
        const double before = t.loss();
        t.split();
        EXPECT_NEAR(t.loss(), before, 0.1) << host.spec.kind;  // ln 11 at the start
        if (host.spec.kind == "mlp") {
            EXPECT_NEAR(t.loss(), before, 1e-6);
        }
        const double first = t.step();
        for (const auto& [from, to] : t.tensors.parameters)
            for (const auto& name : {from, to})
                EXPECT_GT(
                    t.learner.store().find_parameter(name)->gradient.abs().sum().item<double>(), 0)
                    << name;
        double last = first;
        for (int i = 0; i < 20; ++i) last = t.step();
        EXPECT_LT(last, first) << host.spec.kind;
    }
}

TEST(FilledCopy, HasTheValuesAndTheOptimizersStateOfItsSource) {
    for (const auto& host : hosts()) {
        if (host.spec.kind == "mlp") continue;
        Trained t(host);
        std::map<std::string, at::Tensor> before;
        for (const auto& [from, to] : t.tensors.parameters)
            before[from] = t.learner.store().find_parameter(from)->value.clone();
        t.split();
        const auto& store = t.learner.store();
        const auto& source = t.learner.optimizer().state().at("host");
        const auto& state = t.learner.optimizer().state().at(t.copy);
        EXPECT_EQ(state.steps, source.steps);
        EXPECT_EQ(state.steps, 20);
        for (const auto& [from, to] : t.tensors.parameters) {
            const auto* a = store.find_parameter(from);
            const auto* b = store.find_parameter(to);
            const bool halved = std::ranges::find(t.tensors.halved, from) != t.tensors.halved.end();
            EXPECT_TRUE(at::equal(a->value, halved ? before[from].mul(0.5) : before[from])) << from;
            EXPECT_TRUE(at::equal(a->value, b->value)) << from;
            for (const auto moments :
                 {&Optimizer::BlockState::first, &Optimizer::BlockState::second}) {
                const auto of_source = (source.*moments).narrow(0, a->offset, a->numel);
                EXPECT_TRUE(at::equal(of_source, (state.*moments).narrow(0, b->offset, b->numel)))
                    << from;
                EXPECT_GT(of_source.abs().sum().item<double>(), 0) << from;
            }
        }
        for (const auto& [from, to] : t.tensors.buffers) {
            EXPECT_TRUE(at::equal(store.buffers().at(from), store.buffers().at(to))) << from;
            EXPECT_NE(store.buffers().at(from).data_ptr(), store.buffers().at(to).data_ptr());
        }
    }
}

TEST(FilledCopy, OfALayerWithoutAResidualPathIsTheIdentity) {
    Trained t(hosts()[2]);
    t.split();
    const auto& store = t.learner.store();
    EXPECT_TRUE(at::equal(store.find_parameter("layers.2-2.weight")->value, at::eye(16)));
    EXPECT_EQ(store.find_parameter("layers.2-2.bias")->value.abs().sum().item<double>(), 0);
    EXPECT_FALSE(t.learner.optimizer().state().contains("layers.2-2")) << "it starts anew";
}

}  // namespace
}  // namespace esper::tolaria
