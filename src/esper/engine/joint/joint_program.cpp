#include "esper/engine/joint/joint_program.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <map>

#include "esper/base/first_line.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/joint/autocast_scope.h"
#include "esper/engine/joint/joint_impl.h"
#include "esper/engine/joint/recorder.h"
#include "esper/engine/memory/arena.h"
#include "esper/engine/rewrites/rewrites.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

namespace {

// Recording runs the real operators once; this restores the buffers that they change.
struct BufferRestore {
    explicit BufferRestore(const std::vector<at::Tensor>& tensors) : buffers(tensors) {
        for (const auto& b : buffers) saved.push_back(b.clone());
    }
    ~BufferRestore() {
        at::NoGradGuard no_grad;
        for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(saved[i]);
    }
    BufferRestore(const BufferRestore&) = delete;
    BufferRestore& operator=(const BufferRestore&) = delete;
    std::vector<at::Tensor> buffers;
    std::vector<at::Tensor> saved;
};

struct Pass {
    std::vector<at::Tensor> outputs;  // outputs, then taps, then gradient taps' values
    std::vector<at::Tensor> gradients;
};

Result<Pass> run_once(const JointSpec& spec, const Interpreter& interpreter,
                      const Interpreter::Bindings& bindings,
                      const std::vector<at::Tensor>& differentiate) {
    Pass pass;
    std::vector<ValueId> taps = spec.taps;
    taps.insert(taps.end(), spec.gradient_taps.begin(), spec.gradient_taps.end());
    {
        AutocastScope autocast(spec.precision == Precision::kBFloat16);
        ESPER_TRY(pass.outputs, interpreter.run(bindings, taps));
    }
    if (spec.losses.empty()) return pass;
    std::vector<at::Tensor> losses;
    const auto outputs = spec.program->outputs();
    for (const auto& name : spec.losses) {
        const auto* output = spec.program->find_output(name);
        if (output == nullptr)
            return fail(GraphError::kUnknownName, "the Program has no output '" + name + "'");
        losses.push_back(pass.outputs[static_cast<std::size_t>(output - outputs.data())]);
        if (!losses.back().requires_grad() || losses.back().numel() != 1)
            return fail(
                GraphError::kNotDifferentiable,
                "output '" + name + "' is not a scalar that depends on a trainable parameter");
    }
    auto wanted = differentiate;
    const auto first = pass.outputs.size() - spec.gradient_taps.size();
    for (std::size_t i = 0; i < spec.gradient_taps.size(); ++i)
        wanted.push_back(pass.outputs[first + i]);
    try {
        pass.gradients = torch::autograd::grad(losses, wanted, {}, std::nullopt, false, true);
    } catch (const std::exception& e) {
        return fail(GraphError::kNotDifferentiable, first_line(e.what()));
    }
    return pass;
}

bool on_cpu(const TensorStore& store) {
    return std::all_of(store.blocks().begin(), store.blocks().end(),
                       [](const auto& block) { return block->flat.is_cpu(); });
}

}  // namespace

JointProgram::JointProgram(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JointProgram::~JointProgram() = default;
JointProgram::JointProgram(JointProgram&&) noexcept = default;
JointProgram& JointProgram::operator=(JointProgram&&) noexcept = default;

Result<JointProgram> JointProgram::record(const JointSpec& spec, TensorStore& store,
                                          std::span<const at::Tensor> example_inputs) {
    const auto& program = *spec.program;
    auto impl = std::make_unique<Impl>();
    std::vector<KernelRegion> regions;
    if (spec.kernels != nullptr) {
        auto asked_for = spec.taps;
        asked_for.insert(asked_for.end(), spec.gradient_taps.begin(), spec.gradient_taps.end());
        ESPER_TRY(regions, kernel_regions(program, *spec.kernels, asked_for));
        for (const auto& region : regions) impl->kernels.push_back(region.kernel);
    }
    // Recording takes its memory piece by piece, as much as a run needs.
    if (!spec.losses.empty()) Arenas::all().drop_unused();
    const OwnPagesScope own_pages;
    ESPER_TRY(auto interpreter, Interpreter::make(spec.program, spec.training, &regions));
    ESPER_TRY(auto bindings, Interpreter::bind(program, store, example_inputs));
    impl->program = spec.program;
    at::AutoGradMode grad_mode(!spec.losses.empty());
    std::vector<at::Tensor> leaves;
    std::vector<at::Tensor> targets;
    for (std::size_t i = 0; i < program.parameters().size(); ++i) {
        if (!program.parameters()[i].trainable || spec.losses.empty()) continue;
        auto& slot = bindings.parameters[i];
        slot = slot.detach().requires_grad_(true);
        leaves.push_back(slot);
        targets.push_back(store.find_parameter(program.parameters()[i].name)->gradient);
    }
    // Example inputs are cloned so that the recorded list never aliases the caller's memory.
    for (auto& input : bindings.inputs) input = input.clone(at::MemoryFormat::Preserve);

    RecordedList list;
    std::map<std::uint32_t, at::Tensor> recorded;
    {
        BufferRestore restore(bindings.buffers);
        Recorder recorder;
        for (const auto& group : {bindings.parameters, bindings.buffers, bindings.controls})
            for (const auto& tensor : group) recorder.add_persistent(tensor);
        for (const auto& input : bindings.inputs) {
            impl->input_slots.push_back(recorder.add_input(input));
            impl->example.push_back(input.to(c10::Device("meta")));
        }
        auto pass = run_once(spec, interpreter, bindings, leaves);
        recorder.stop();
        if (!pass) return fail(pass.error());
        auto slot = [&](const at::Tensor& tensor) -> std::uint32_t {
            auto s = recorder.slot_of(tensor);
            if (s) recorded.emplace(*s, recorder.tensor_of(*s));
            return s ? *s : OpCall::kNoSlot;
        };
        const auto n_outputs = program.outputs().size();
        for (std::size_t i = 0; i < pass->outputs.size(); ++i) {
            if (i < n_outputs)
                impl->outputs.push_back(slot(pass->outputs[i]));
            else if (i < n_outputs + spec.taps.size())
                impl->taps.push_back(slot(pass->outputs[i]));
        }
        for (std::size_t i = 0; i < pass->gradients.size(); ++i) {
            const auto& g = pass->gradients[i];
            const auto s = g.defined() ? slot(g) : OpCall::kNoSlot;
            if (i >= leaves.size())
                impl->gradient_taps.push_back(s);
            else if (s == OpCall::kNoSlot)
                impl->unused_gradients.push_back(targets[i]);
            else
                list.gradients.push_back({s, targets[i]});
        }
        ESPER_TRY(list.ops, recorder.take());
        list.persistent = recorder.persistent();
        for (const auto& call : list.ops.calls)
            for (auto s : call.results)
                if (s != OpCall::kNoSlot) recorded.try_emplace(s, recorder.tensor_of(s));
        for (auto s : impl->input_slots) recorded.try_emplace(s, recorder.tensor_of(s));
        for (const auto& [s, tensor] : list.persistent) recorded.try_emplace(s, tensor);
    }
    for (const auto* group : {&impl->outputs, &impl->taps, &impl->gradient_taps})
        for (auto s : *group) {
            if (s != OpCall::kNoSlot) list.outputs.push_back(s);
        }
    list.inputs = impl->input_slots;
    if (spec.rewrites != Rewrites::kNone) {
        fold_constants(list, recorded);
        drop_repeated_views(list);
        remove_dead_calls(list);
        join_selected_gradients(list);
        if (spec.rewrites == Rewrites::kFast && on_cpu(store)) {
            replace_gelu(list, recorded);
            replace_causal_attention(list, recorded);
            fuse_cross_entropy(list, recorded);
            fuse_batch_norm_relu(list, recorded);
            fuse_small_linear(list, recorded);
            remove_dead_calls(list);
        }
        write_gradients_in_place(list);
    }
    recorded.clear();

    std::vector<bool> keep(list.ops.slot_count, false);
    for (const auto& [s, tensor] : list.persistent) keep[s] = true;
    for (auto s : list.outputs) keep[s] = true;
    for (const auto& g : list.gradients) keep[g.slot] = true;
    list.ops.plan_frees(keep);
    impl->slots.resize(list.ops.slot_count);
    for (const auto& [s, tensor] : list.persistent) impl->slots[s] = tensor;
    for (std::uint32_t s = 0; s < keep.size(); ++s)
        if (keep[s] && !list.persistent.contains(s)) impl->results.push_back(s);
    impl->ops = std::move(list.ops);
    impl->gradients = std::move(list.gradients);
    return JointProgram(std::move(impl));
}

bool JointProgram::takes(std::span<const at::Tensor> inputs) const {
    const auto& example = impl_->example;
    if (inputs.size() != example.size()) return false;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (inputs[i].sizes() != example[i].sizes() ||
            inputs[i].strides() != example[i].strides() ||
            inputs[i].scalar_type() != example[i].scalar_type())
            return false;
    return true;
}

Status JointProgram::Impl::place(std::span<const at::Tensor> inputs) {
    if (inputs.size() != example.size())
        return fail(GraphError::kShapeMismatch,
                    fmt::format("this Program was recorded with {} inputs, got {}", example.size(),
                                inputs.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].sizes() != example[i].sizes() ||
            inputs[i].strides() != example[i].strides() ||
            inputs[i].scalar_type() != example[i].scalar_type())
            return fail(GraphError::kShapeMismatch,
                        fmt::format("input {} was recorded as {} [{}], got {} [{}] (or other "
                                    "strides); record again",
                                    i, c10::toString(example[i].scalar_type()),
                                    fmt::join(example[i].sizes(), ", "),
                                    c10::toString(inputs[i].scalar_type()),
                                    fmt::join(inputs[i].sizes(), ", ")));
        slots[input_slots[i]] = inputs[i];
    }
    return {};
}

Result<JointProgram::Outputs> JointProgram::run(std::span<const at::Tensor> inputs) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto& m = *impl_;
    ESPER_CHECK_STATUS(m.place(inputs));
    const MemoryPlan::Run planned(m.memory);
    ESPER_CHECK_STATUS(m.ops.run(m.slots));
    for (const auto& g : m.gradients) g.target.copy_(m.slots[g.slot].toTensor());
    for (auto& g : m.unused_gradients) g.zero_();
    Outputs result;
    auto collect = [&](const std::vector<std::uint32_t>& slots, std::vector<at::Tensor>& into) {
        for (auto s : slots)
            into.push_back(s == OpCall::kNoSlot ? at::Tensor() : m.slots[s].toTensor());
    };
    collect(m.outputs, result.outputs);
    collect(m.taps, result.taps);
    collect(m.gradient_taps, result.gradient_taps);
    for (auto s : m.results) m.slots[s] = c10::IValue();
    return result;
}

}  // namespace esper::graph
