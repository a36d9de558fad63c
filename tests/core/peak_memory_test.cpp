// The most memory that a training step takes at once, against the interpreter with autograd, which
// runs the same operators as eager PyTorch.

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <optional>

#include "esper/core/hosts/host.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/joint/autocast_scope.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/engine/memory/allocation_watch.h"
#include "esper/engine/memory/arena.h"
#include "esper/program/loss.h"

namespace esper::core {
namespace {

using graph::JointProgram;
using graph::Precision;
using graph::ProgramPtr;
using graph::TensorStore;

template <typename F>
std::int64_t peak_of(const F& f) {
    graph::AllocationWatch watch;
    f();
    return watch.peak();
}

void interpret(const ProgramPtr& program, const TensorStore& store,
               const std::vector<at::Tensor>& batch, Precision precision) {
    const auto interpreter = value_or_throw(graph::Interpreter::make(program, true));
    auto bindings = value_or_throw(graph::Interpreter::bind(*program, store, batch));
    for (auto& p : bindings.parameters) p = p.detach().requires_grad_(true);
    std::vector<at::Tensor> outputs;
    {
        const graph::AutocastScope autocast(precision == Precision::kBFloat16);
        outputs = value_or_throw(interpreter.run(bindings));
    }
    torch::autograd::grad({outputs[0]}, bindings.parameters);
}

struct Peaks {
    std::int64_t eager = 0;
    std::int64_t recording = 0;
    std::int64_t replay = 0;
    std::int64_t planned = 0;  ///< a replay with a plan: the arena, and what lies outside of it
};

Peaks peaks_of(const HostSpec& spec, const std::vector<at::Tensor>& batch, Precision precision) {
    at::set_num_threads(1);
    const auto program = value_or_throw(graph::with_loss(*value_or_throw(make_host(spec)), {}));
    TensorStore store({1, true});
    EXPECT_TRUE(store.add(*program, "host"));
    Peaks found;
    const auto eager = [&] { interpret(program, store, batch, precision); };
    eager();  // what libraries keep is there now
    found.eager = peak_of(eager);
    std::optional<JointProgram> joint;
    found.recording = peak_of([&] {
        joint = value_or_throw(JointProgram::record(
            {program, true, precision, {"loss"}, {}, {}, graph::Rewrites::kFast}, store, batch));
    });
    for (auto* peak : {&found.replay, &found.planned})
        *peak = peak_of([&] { value_or_throw(joint->run(batch)); });
    found.planned += static_cast<std::int64_t>(graph::Arenas::all().bytes());
    return found;
}

void expect_no_more_than_eager(const HostSpec& spec, const std::vector<at::Tensor>& batch) {
    // Recording copies the batch and the buffers.
    const auto copies = static_cast<std::int64_t>(batch[0].nbytes()) + (64 << 10);
    const std::int64_t page = 2 << 20;
    for (const auto precision : {Precision::kFloat32, Precision::kBFloat16}) {
        SCOPED_TRACE(precision == Precision::kFloat32 ? "fp32" : "bf16");
        const auto peaks = peaks_of(spec, batch, precision);
        EXPECT_LE(peaks.recording, peaks.eager + copies);
        // A fused BatchNorm's backward pass holds one gradient more than the two operators it
        // replaces.
        EXPECT_LE(peaks.replay, peaks.eager + peaks.eager / 20);
        EXPECT_LE(peaks.planned, peaks.replay + peaks.replay / 20 + page);
    }
}

TEST(PeakMemory, OfRecordingAndOfAStepIsEagersInAResNet) {
    expect_no_more_than_eager(
        {.kind = "resnet", .depth = 14, .width = 16},
        {at::randn({32, 3, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast),
         at::randint(0, 10, {32}, at::kLong)});
}

TEST(PeakMemory, OfRecordingAndOfAStepIsEagersInAGpt) {
    expect_no_more_than_eager(
        {.kind = "gpt", .depth = 2, .width = 64, .classes = 65, .heads = 4, .context = 64},
        {at::randint(0, 65, {16, 64}, at::kLong), at::randint(0, 65, {16, 64}, at::kLong)});
}

TEST(PeakMemory, APlanChangesNoBit) {
    const HostSpec spec{
        .kind = "gpt", .depth = 2, .width = 64, .classes = 65, .heads = 4, .context = 64};
    const std::vector<at::Tensor> batch{at::randint(0, 65, {16, 64}, at::kLong),
                                        at::randint(0, 65, {16, 64}, at::kLong)};
    for (const auto precision : {Precision::kFloat32, Precision::kBFloat16}) {
        const auto program = value_or_throw(graph::with_loss(*value_or_throw(make_host(spec)), {}));
        TensorStore store({1, true});
        ASSERT_TRUE(store.add(*program, "host"));
        auto joint = value_or_throw(JointProgram::record(
            {program, true, precision, {"loss"}, {}, {}, graph::Rewrites::kFast}, store, batch));
        std::vector<at::Tensor> losses, gradients;
        for (int run = 0; run < 4; ++run) {
            losses.push_back(value_or_throw(joint.run(batch)).outputs[0]);
            gradients.push_back(store.blocks()[0]->grad.clone());
        }
        EXPECT_GT(graph::Arenas::all().bytes(), 0U);
        for (std::size_t run = 1; run < losses.size(); ++run) {
            EXPECT_TRUE(at::equal(losses[run], losses[0]));
            EXPECT_TRUE(at::equal(gradients[run], gradients[0]));
        }
    }
}

}  // namespace
}  // namespace esper::core
