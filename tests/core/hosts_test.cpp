#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/program/anchor_types.h"
#include "esper/program/cost/cost.h"
#include "esper/program/shapes.h"
#include "program/run_program.h"

namespace esper::core {
namespace {

using graph::ProgramPtr;
using graph::testing::Bench;
using graph::testing::input_for;

ProgramPtr built(const HostSpec& spec) {
    auto program = make_host(spec);
    EXPECT_TRUE(program) << program.error().to_string();
    return program ? *program : nullptr;
}

HostSpec mlp() { return {.kind = "mlp", .depth = 4, .width = 64, .features = 64}; }
HostSpec resnet(std::int64_t depth, std::int64_t width = 16) {
    return {.kind = "resnet", .depth = depth, .width = width};
}
HostSpec vgg(std::int64_t depth, std::int64_t width) {
    return {.kind = "vgg", .depth = depth, .width = width};
}
HostSpec gpt() {
    return {.kind = "gpt", .depth = 2, .width = 32, .classes = 65, .heads = 4, .context = 16};
}

std::vector<HostSpec> one_of_each() {
    auto images = mlp();
    images.features = 0;
    auto plain = vgg(8, 4);
    plain.batch_norm = false;
    auto tied = gpt();
    tied.tied_head = true;
    auto dropped = gpt();
    dropped.dropout = 0.1;
    return {mlp(), images, resnet(8, 8), resnet(14, 8), vgg(11, 4), plain, gpt(), tied, dropped};
}

// The expected counts are those of the same networks written as torch.nn modules.
TEST(Hosts, HaveTheParametersOfTheirPyTorchTwins) {
    EXPECT_EQ(built(mlp())->parameter_count(), 17'290);
    EXPECT_EQ(built(resnet(8))->parameter_count(), 78'042);
    EXPECT_EQ(built(resnet(20))->parameter_count(), 272'474);
    EXPECT_EQ(built(resnet(56))->parameter_count(), 855'770);
    EXPECT_EQ(built(resnet(110))->parameter_count(), 1'730'714);
    EXPECT_EQ(built(resnet(20, 32))->parameter_count(), 1'084'586);
    EXPECT_EQ(built(vgg(11, 64))->parameter_count(), 9'228'362);
    EXPECT_EQ(built(vgg(16, 64))->parameter_count(), 14'724'042);
    auto plain = vgg(16, 64);
    plain.batch_norm = false;
    EXPECT_EQ(built(plain)->parameter_count(), 14'719'818);
    auto small = gpt();
    small.width = 128;
    small.context = 128;
    EXPECT_EQ(built(small)->parameter_count(), 429'824);
    HostSpec large{.kind = "gpt",
                   .depth = 12,
                   .width = 768,
                   .classes = 50'257,
                   .heads = 12,
                   .context = 1024,
                   .tied_head = true};
    EXPECT_EQ(built(large)->parameter_count(), 124'439'808);  // GPT-2 small
}

TEST(Hosts, NameParametersAsPyTorchDoes) {
    auto net = built(resnet(14));
    for (const char* name : {"conv1.weight", "bn1.bias", "layer1.0.conv1.weight",
                             "layer2.0.downsample.0.weight", "layer3.1.bn2.weight", "fc.bias"})
        EXPECT_NE(net->find_parameter(name), nullptr) << name;
    for (const char* name : {"bn1.running_mean", "layer2.0.downsample.1.running_var"})
        EXPECT_NE(net->find_buffer(name), nullptr) << name;
    EXPECT_EQ(net->find_parameter("layer1.0.downsample.0.weight"), nullptr);
    auto text = built(gpt());
    for (const char* name : {"tok_emb.weight", "pos_emb.weight", "blocks.0.attn.qkv.weight",
                             "blocks.1.mlp.proj.bias", "ln_f.weight", "head.weight"})
        EXPECT_NE(text->find_parameter(name), nullptr) << name;
}

// A ResNet's convolutions all cost the same, since a quarter of the positions has twice the
// channels on both sides; only the first (3 channels) and those that change the shape (fewer
// inputs) differ.
TEST(Hosts, CostWhatAPersonCounts) {
    auto cost = graph::count_cost(*built(resnet(20)));
    ASSERT_TRUE(cost) << cost.error().to_string();
    const std::uint64_t plane = 32 * 32 * 16;
    const std::uint64_t convolution = 2 * plane * 144;
    const std::uint64_t stem = 2 * plane * 27;
    const std::uint64_t shortcut = 2 * (plane / 2) * 16;
    const std::uint64_t convolutions =
        stem + 16 * convolution + 2 * (convolution / 2) + 2 * shortcut;
    const std::uint64_t norms = 7 * (7 * plane + 7 * plane / 2 + 7 * plane / 4);
    const std::uint64_t relus = 7 * plane + 6 * plane / 2 + 6 * plane / 4;
    const std::uint64_t sums = 3 * plane + 3 * plane / 2 + 3 * plane / 4;
    const std::uint64_t head = 64 * 64 + 2 * 64 * 10 + 10;
    EXPECT_EQ(cost->forward_flops, convolutions + norms + relus + sums + head);
    EXPECT_EQ(cost->parameters, 272'474);

    auto text = graph::count_cost(*built(gpt()));
    ASSERT_TRUE(text);
    const std::uint64_t tokens = 16, d = 32, pairs = 4 * 16 * 17 / 2;
    const std::uint64_t block =
        tokens * (2 * 7 * d + 2 * 12 * d * d + (3 + 1 + 4 + 1) * d  // biases
                  + 4 * d + 2 * d) +
        pairs * (2 * 8 + 1 + 5 + 2 * 8);
    EXPECT_EQ(text->forward_flops, tokens * (d + 7 * d + 2 * d * 65) + 2 * block);
}

TEST(Hosts, GiveLogitsOfTheDeclaredShapeAtAnyBatchSize) {
    for (const auto& spec : one_of_each()) {
        auto program = built(spec);
        for (std::int64_t batch : {2, 5}) {
            auto types = graph::infer_types(*program, batch);
            ASSERT_TRUE(types) << types.error().to_string();
            const auto& logits = (*types)[program->find_output("logits")->value.value()];
            std::vector<std::int64_t> expected{batch, spec.classes};
            if (spec.kind == "gpt") expected.insert(expected.begin() + 1, spec.context);
            EXPECT_EQ(logits.shape, expected) << program->name();
        }
    }
}

TEST(Hosts, DeclareAnchorsWithTheShapeThatFlowsThere) {
    for (const auto& spec : one_of_each()) {
        auto program = built(spec);
        auto types = graph::infer_types(*program, 2);
        ASSERT_TRUE(types);
        ASSERT_FALSE(program->anchors().empty());
        for (const auto& anchor : program->anchors()) {
            const auto& shape = (*types)[anchor.value.value()].shape;
            bool image = anchor.kind == graph::AnchorKind::kImage;
            std::size_t rank = image ? 4 : anchor.kind == graph::AnchorKind::kTokens ? 3 : 2;
            ASSERT_EQ(shape.size(), rank) << anchor.name;
            EXPECT_EQ(image ? shape[1] : shape.back(), anchor.features) << anchor.name;
            // The layer's input must have as many positions as its output, or no readout fits.
            ASSERT_TRUE(anchor.layer_input) << anchor.name;
            auto x = (*types)[anchor.layer_input->value()].shape;
            ASSERT_EQ(x.size(), rank) << anchor.name;
            x[image ? 1 : rank - 1] = anchor.features;
            EXPECT_EQ(x, shape) << anchor.name;
        }
    }
    EXPECT_EQ(built(resnet(20))->anchors().size(), 9U);
    EXPECT_EQ(built(vgg(16, 4))->anchors().size(), 13U);
    EXPECT_EQ(built(gpt())->anchors().size(), 2U);
    EXPECT_EQ(built(mlp())->anchors().size(), 4U);
}

TEST(Hosts, LeaveTheBatchFreeAtTheirAnchors) {
    using Shapes = std::vector<std::int64_t>;
    auto images = graph::anchor_types(*built(resnet(8)));
    ASSERT_TRUE(images) << images.error().to_string();
    EXPECT_EQ((*images)[2].shape, (Shapes{-1, 64, 8, 8}));
    auto tokens = graph::anchor_types(*built(gpt()));
    ASSERT_TRUE(tokens);
    EXPECT_EQ((*tokens)[0].shape, (Shapes{-1, 16, 32}));
}

// Every blueprint fits every anchor of every host.
TEST(Hosts, TakeEveryBlueprintAtEveryAnchor) {
    for (const auto& spec : one_of_each()) {
        auto program = built(spec);
        auto types = graph::anchor_types(*program);
        ASSERT_TRUE(types);
        for (std::size_t i = 0; i < types->size(); ++i) {
            const auto& anchor = program->anchors()[i];
            for (const auto& name : blueprints::blueprint_names(anchor.kind, true)) {
                auto made = blueprints::make_blueprint(name, anchor, (*types)[i]);
                ASSERT_TRUE(made) << name << " at " << anchor.name << made.error().to_string();
                auto inferred = graph::infer_types(*made->program, 2);
                ASSERT_TRUE(inferred) << name << inferred.error().to_string();
                auto expected = (*types)[i];
                expected.shape[0] = 2;
                EXPECT_EQ((*inferred)[made->program->outputs()[0].value.value()], expected);
            }
        }
    }
}

TEST(Hosts, GiveEveryParameterAGradient) {
    for (const auto& spec : one_of_each()) {
        Bench bench(built(spec));
        auto x = input_for(bench.program->inputs()[0], 4);
        for (const auto& [name, gradient] : bench.gradients({x})) {
            ASSERT_TRUE(gradient.defined()) << bench.program->name() << " " << name;
            EXPECT_GT(gradient.abs().sum().item<double>(), 0.0)
                << bench.program->name() << " " << name;
        }
    }
}

TEST(Hosts, StartNearTheLossOfAGuess) {
    for (const auto& spec : one_of_each()) {
        Bench bench(built(spec));
        auto x = input_for(bench.program->inputs()[0], 32);
        auto logits = bench.run({x}, true).front().reshape({-1, spec.classes});
        auto target = at::randint(spec.classes, {logits.size(0)}, at::kLong);
        auto loss = at::cross_entropy_loss(logits, target).item<double>();
        // Logits of variance v that know nothing of the target cost ln(classes) + v/2 (the mean of
        // a log-normal), give or take four standard errors of the targets' draw.
        const double v = logits.var().item<double>();
        const double error = std::sqrt(v / static_cast<double>(logits.size(0)));
        const double guess = std::log(static_cast<double>(spec.classes));
        EXPECT_NEAR(loss, guess + v / 2, 4 * error + 0.05) << bench.program->name();
        EXPECT_LT(v, 1.0) << bench.program->name() << ": a guess is not sure of itself";
        RecordProperty(bench.program->name(),
                       std::to_string(loss - guess) + " var " + std::to_string(v));
    }
}

TEST(Hosts, UpdateBatchStatisticsInTrainingOnly) {
    Bench bench(built(resnet(8, 8)));
    auto x = input_for(bench.program->inputs()[0], 8);
    auto mean = *bench.store.find("bn1.running_mean");
    auto before = mean.clone();
    auto first = bench.run({x}, false).front();
    EXPECT_TRUE(at::equal(mean, before));
    bench.run({x}, true);
    EXPECT_FALSE(at::equal(mean, before));
    EXPECT_FALSE(at::equal(bench.run({x}, false).front(), first));
}

TEST(Hosts, EvaluateEachExampleByItself) {
    for (const auto& spec : {resnet(8, 8), gpt()}) {
        Bench bench(built(spec));
        auto x = input_for(bench.program->inputs()[0], 3);
        auto together = bench.run({x}).front();
        auto alone = bench.run({x.narrow(0, 1, 1)}).front();
        EXPECT_TRUE(at::allclose(together.narrow(0, 1, 1), alone, 1e-4, 1e-5));
    }
}

TEST(GptHost, DoesNotSeeTheFuture) {
    Bench bench(built(gpt()));
    auto x = input_for(bench.program->inputs()[0], 2, 65);
    auto y = x.clone();
    y.narrow(1, 10, 6).add_(1).remainder_(65);
    auto a = bench.run({x}).front();
    auto b = bench.run({y}).front();
    EXPECT_TRUE(at::allclose(a.narrow(1, 0, 10), b.narrow(1, 0, 10), 1e-5, 1e-6));
    EXPECT_FALSE(at::allclose(a.narrow(1, 10, 1), b.narrow(1, 10, 1), 1e-3, 1e-4));
}

TEST(GptHost, DropsDifferentlyAtEachStepAndNeverInEvaluation) {
    auto spec = gpt();
    spec.dropout = 0.5;
    Bench bench(built(spec));
    auto x = input_for(bench.program->inputs()[0], 2, 65);
    auto train = [&] { return bench.run({x}, true).front(); };
    auto first = train();
    EXPECT_TRUE(at::equal(first, train()));
    ASSERT_TRUE(bench.store.set_control("dropout.step", 1));
    EXPECT_FALSE(at::equal(first, train()));
    auto evaluated = bench.run({x}, false).front();
    Bench plain(built(gpt()));
    EXPECT_TRUE(at::equal(evaluated, plain.run({x}, false).front()));
    EXPECT_EQ(plain.program->find_control("dropout.step"), nullptr);
}

void expect_bad(const HostSpec& spec, CoreError code, std::string_view words) {
    auto program = make_host(spec);
    ASSERT_FALSE(program) << words;
    EXPECT_TRUE(program.error().is(code)) << program.error().to_string();
    EXPECT_NE(program.error().message().find(words), std::string::npos)
        << program.error().to_string();
}

TEST(Hosts, RefuseSizesThatMakeNoNetwork) {
    expect_bad({.kind = "resnt"}, CoreError::kUnknownHost, "did you mean 'resnet'");
    expect_bad(resnet(9), CoreError::kBadHostSpec, "nearest are 8 and 14");
    expect_bad(resnet(2), CoreError::kBadHostSpec, "depth from 8");
    expect_bad(vgg(3, 16), CoreError::kBadHostSpec, "depth from 8");
    auto small = vgg(8, 16);
    small.image_size = 16;
    expect_bad(small, CoreError::kBadHostSpec, "image_size from 32");
    auto heads = gpt();
    heads.heads = 5;
    expect_bad(heads, CoreError::kBadHostSpec, "divide its width");
    auto dropped = gpt();
    dropped.dropout = 1.0;
    expect_bad(dropped, CoreError::kBadHostSpec, "dropout in [0, 1)");
    auto empty = mlp();
    empty.width = 0;
    expect_bad(empty, CoreError::kBadHostSpec, "width from 1");
}

}  // namespace
}  // namespace esper::core
