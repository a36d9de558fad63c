// Every host, plain and with every blueprint at an anchor: the fast joint Program gives the results
// of the recorded one except for rounding, and a seed in isolation changes no bit of the host.

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/sub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/trained_hosts.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/model_wrapper.h"
#include "esper/program/anchor_types.h"
#include "esper/program/edits/edits.h"
#include "esper/program/loss.h"

namespace esper::core {
namespace {

using graph::Precision;
using graph::ProgramPtr;
using graph::Rewrites;
using graph::TensorStore;
using testing::batch_for;
using testing::joint;
using testing::small_hosts;
using testing::Step;

/// The tensors as the trainer stores them.
TensorStore trainers_store(const ProgramPtr& program) {
    at::set_num_threads(1);
    TensorStore store({1, true});
    auto added = store.add(*program, "host");
    EXPECT_TRUE(added) << added.error().to_string();
    return store;
}

std::vector<at::Tensor> trainers_batch(const ProgramPtr& program) {
    auto batch = batch_for(program);
    if (batch[0].dim() == 4) batch[0] = batch[0].contiguous(at::MemoryFormat::ChannelsLast);
    return batch;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
    return at::linalg_vector_norm(at::sub(a, b)).item().toDouble();
}

double size_of(const at::Tensor& t) { return at::linalg_vector_norm(t).item().toDouble(); }

/// The distance of all gradients together from those of float32.
double distance(const Step& exact, const Step& other) {
    double squares = 0;
    for (const auto& [name, gradient] : exact.gradients)
        squares += std::pow(distance(gradient, other.gradients.at(name)), 2);
    return std::sqrt(squares);
}

// In float32 a few roundings may differ. In bfloat16 a different rounding in an early layer
// switches ReLUs in later ones, so there is no bound for single gradients. There both lists are
// compared with float32; returns the logarithm of the ratio of their distances.
double expect_alike(const ProgramPtr& program, const TensorStore& store,
                    const std::vector<at::Tensor>& batch) {
    std::map<std::string, Step> steps;
    std::map<std::string, TensorStore> stores;
    auto take = [&](const std::string& name, Rewrites rewrites, Precision precision) {
        auto own = stores.emplace(name, store.clone()).first;
        steps[name] = joint(program, own->second, batch, rewrites, precision);
    };
    take("recorded", Rewrites::kNone, Precision::kFloat32);
    take("fast", Rewrites::kFast, Precision::kFloat32);
    take("recorded half", Rewrites::kNone, Precision::kBFloat16);
    take("fast half", Rewrites::kFast, Precision::kBFloat16);
    const auto& exact = steps["recorded"];
    EXPECT_LE(distance(exact.loss, steps["fast"].loss), 1e-5 * size_of(exact.loss));
    EXPECT_LE(distance(exact.loss, steps["fast half"].loss), 2e-2 * size_of(exact.loss));
    double largest = 0;
    for (const auto& [name, gradient] : exact.gradients)
        largest = std::max(largest, size_of(gradient));
    for (const auto& [name, gradient] : exact.gradients)
        EXPECT_LE(distance(gradient, steps["fast"].gradients.at(name)),
                  2e-4 * size_of(gradient) + 1e-6 * largest)
            << name;
    for (const auto& [name, buffer] : stores.at("recorded").buffers())
        EXPECT_LE(distance(buffer, stores.at("fast").buffers().at(name)),
                  1e-5 * size_of(buffer) + 1e-7)
            << name;
    const double farther =
        distance(exact, steps["fast half"]) / distance(exact, steps["recorded half"]);
    EXPECT_LE(farther, 4);
    return std::log(farther);
}

TEST(FastRewrites, GiveWhatWasRecordedOnEveryHostAndWithEveryBlueprint) {
    at::manual_seed(1);
    double farther = 0;
    int networks = 0;
    auto take = [&](const ProgramPtr& program, const TensorStore& store,
                    const std::vector<at::Tensor>& batch) {
        farther += expect_alike(program, store, batch);
        ++networks;
    };
    for (const auto& spec : small_hosts()) {
        auto host = value_or_throw(make_host(spec));
        auto plain = value_or_throw(with_loss(*host, {}));
        const auto batch = trainers_batch(plain);
        const auto store = trainers_store(plain);
        {
            SCOPED_TRACE(host->name());
            take(plain, store, batch);
        }
        auto model = value_or_throw(wrap(host));
        auto types = value_or_throw(graph::anchor_types(*host));
        const auto& slot = model.slots[model.slots.size() / 2];
        const auto& anchor = model.anchor_of(slot);
        for (const auto& name : blueprints::blueprint_names(anchor.kind)) {
            SCOPED_TRACE(name + " in " + host->name() + " at " + anchor.name);
            auto blueprint =
                value_or_throw(blueprints::make_blueprint(name, anchor, types[slot.anchor]));
            auto isolated = value_or_throw(graph::apply(
                *host, graph::InsertSeed{slot.name, anchor.name, name, blueprint.program}));
            auto folded = value_or_throw(
                graph::apply(*isolated, graph::SetSeedMode{slot.name, graph::SeedMode::kFolded}));
            auto grown = value_or_throw(with_loss(*folded, {}));
            auto own = store.clone();
            ASSERT_TRUE(own.add(*grown, slot.name));
            take(grown, own, batch);
        }
    }
    // Either list may be nearer to float32 in one network, but not on average.
    EXPECT_LE(std::exp(farther / networks), 1.15);
}

TEST(FastRewrites, LeaveASeedInIsolationUnnoticed) {
    for (const auto& spec : small_hosts()) {
        auto host = value_or_throw(make_host(spec));
        auto plain = value_or_throw(with_loss(*host, {}));
        const auto batch = trainers_batch(plain);
        const auto store = trainers_store(plain);
        auto model = value_or_throw(wrap(host));
        auto types = value_or_throw(graph::anchor_types(*host));
        const auto& slot = model.slots[model.slots.size() / 2];
        const auto& anchor = model.anchor_of(slot);
        for (auto precision : {Precision::kFloat32, Precision::kBFloat16}) {
            auto alone = store.clone();
            const auto before = joint(plain, alone, batch, Rewrites::kFast, precision);
            for (const auto& name : blueprints::blueprint_names(anchor.kind, true)) {
                SCOPED_TRACE(name + " in " + host->name() + " at " + anchor.name);
                auto blueprint =
                    value_or_throw(blueprints::make_blueprint(name, anchor, types[slot.anchor]));
                auto isolated = value_or_throw(graph::apply(
                    *host, graph::InsertSeed{slot.name, anchor.name, name, blueprint.program}));
                auto program = value_or_throw(with_loss(*isolated, {}));
                auto together = store.clone();
                ASSERT_TRUE(together.add(*program, slot.name));
                const auto after = joint(program, together, batch, Rewrites::kFast, precision);
                EXPECT_TRUE(at::equal(before.loss, after.loss));
                for (const auto& [parameter, gradient] : before.gradients)
                    EXPECT_TRUE(at::equal(gradient, after.gradients.at(parameter))) << parameter;
                for (const auto& [buffer, value] : alone.buffers())
                    EXPECT_TRUE(at::equal(value, together.buffers().at(buffer))) << buffer;
            }
        }
    }
}

std::map<std::string, std::size_t> operators_of(const HostSpec& spec, Rewrites rewrites) {
    auto program = value_or_throw(with_loss(*value_or_throw(make_host(spec)), {}));
    auto store = trainers_store(program);
    auto recorded = value_or_throw(graph::JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, rewrites}, store,
        trainers_batch(program)));
    auto counts = recorded.operator_histogram();
    return {counts.begin(), counts.end()};
}

TEST(FastRewrites, MakeALinearLayerOneCallEachWay) {
    auto counts =
        operators_of({.kind = "mlp", .depth = 2, .width = 16, .features = 8}, Rewrites::kFast);
    const std::map<std::string, std::size_t> expected{
        {"esper::linear_relu", 3}, {"esper::linear_relu_backward", 3}, {"esper::cross_entropy", 1}};
    EXPECT_EQ(counts, expected);
}

TEST(FastRewrites, LeaveNoBatchNormAdditionOrReluToTheForwardPass) {
    auto counts =
        operators_of({.kind = "resnet", .depth = 8, .width = 8, .image_size = 8}, Rewrites::kFast);
    EXPECT_EQ(counts["esper::batch_norm_relu"], 9U);
    EXPECT_EQ(counts["esper::batch_norm_relu_backward"], 9U);
    for (const auto* gone : {"aten::native_batch_norm", "aten::relu", "aten::addmm"})
        EXPECT_EQ(counts[gone], 0U) << gone;
    // Two BatchNorms read one gradient; the second does so after the first has used it.
    EXPECT_EQ(counts["aten::threshold_backward"], 0U);
}

TEST(FastRewrites, ReplaceAttentionAndTheCopiesAroundIt) {
    auto counts = operators_of({.kind = "gpt", .depth = 2, .width = 32, .heads = 2, .context = 8},
                               Rewrites::kFast);
    EXPECT_EQ(counts["esper::causal_attention"], 2U);
    EXPECT_EQ(counts["esper::causal_attention_backward"], 2U);
    for (const auto* gone :
         {"aten::_scaled_dot_product_flash_attention_for_cpu", "aten::stack", "aten::clone",
          "aten::_scaled_dot_product_flash_attention_for_cpu_backward", "aten::gelu"})
        EXPECT_EQ(counts[gone], 0U) << gone;
}

}  // namespace
}  // namespace esper::core
