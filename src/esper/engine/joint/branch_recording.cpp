#include "esper/engine/joint/branch_recording.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "esper/base/first_line.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/joint/autocast_scope.h"
#include "esper/engine/joint/recorder.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

namespace {

/// A branch with leaves to differentiate by: x, then each trainable parameter.
struct Differentiable {
    Interpreter interpreter;
    Interpreter::Bindings bindings;
    std::vector<at::Tensor> leaves;
};

Result<Differentiable> prepare(const ProgramPtr& branch, const std::vector<at::Tensor>& parameters,
                               const at::Tensor& x) {
    if (!branch->buffers().empty() || !branch->controls().empty() || branch->inputs().size() != 1 ||
        branch->parameters().size() != parameters.size())
        return fail(GraphError::kUnknownName,
                    "'" + branch->name() + "' is no branch: one input, parameters, no buffers");
    auto parts = branch->parts();
    if (x.scalar_type() == at::kDouble) parts.inputs[0].type.dtype = DType::kFloat64;
    ESPER_TRY(auto typed, Program::make(std::move(parts)));
    ESPER_TRY(auto interpreter, Interpreter::make(typed, true));
    Differentiable made{std::move(interpreter), {}, {}};
    made.bindings.inputs.push_back(x.detach().requires_grad_(true));
    made.leaves.push_back(made.bindings.inputs[0]);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        auto& value = made.bindings.parameters.emplace_back(parameters[i].detach());
        if (branch->parameters()[i].trainable) made.leaves.push_back(value.requires_grad_(true));
    }
    return made;
}

struct Results {
    at::Tensor y;
    std::vector<at::Tensor> gradients;  ///< of the leaves; undefined where y does not depend on it
};

Result<Results> differentiate(const Differentiable& branch, const at::Tensor& gradient,
                              Precision precision) {
    Results found;
    {
        const AutocastScope autocast(precision == Precision::kBFloat16);
        ESPER_TRY(auto outputs, branch.interpreter.run(branch.bindings, {}));
        found.y = outputs[0];
    }
    if (!found.y.requires_grad())
        return fail(GraphError::kNotDifferentiable,
                    "its result depends on nothing that is trained, so there is no backward pass");
    try {
        found.gradients =
            torch::autograd::grad({found.y}, branch.leaves, {gradient}, false, false, true);
    } catch (const std::exception& e) {
        return fail(GraphError::kNotDifferentiable, first_line(e.what()));
    }
    return found;
}

}  // namespace

Result<BranchRecording> record_branch(const ProgramPtr& branch,
                                      const std::vector<at::Tensor>& parameters,
                                      const at::Tensor& x, const at::Tensor& gradient,
                                      Precision precision) {
    at::AutoGradMode grad_mode(true);
    ESPER_TRY(auto prepared, prepare(branch, parameters, x));
    BranchRecording made;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        made.parameters.push_back(branch->parameters()[i].name);
        made.parameter_values.push_back(parameters[i].detach());
    }
    Recorder recorder;
    for (const auto& tensor : prepared.bindings.parameters) recorder.add_persistent(tensor);
    made.x = recorder.add_input(prepared.bindings.inputs[0]);
    made.gradient = recorder.add_input(gradient);
    auto found = differentiate(prepared, gradient, precision);
    recorder.stop();
    if (!found) return fail(found.error());
    const auto slot = [&](const at::Tensor& tensor) {
        const auto at = tensor.defined() ? recorder.slot_of(tensor) : std::nullopt;
        return at ? *at : OpCall::kNoSlot;
    };
    made.y = slot(found->y);
    made.dx = slot(found->gradients[0]);
    std::size_t next = 1;
    for (const auto& parameter : branch->parameters())
        made.parameter_gradients.push_back(parameter.trainable ? slot(found->gradients[next++])
                                                               : OpCall::kNoSlot);
    ESPER_TRY(made.ops, recorder.take());
    made.persistent = recorder.persistent();
    for (std::uint32_t i = 0; i < made.ops.slot_count; ++i)
        made.values.emplace(i, recorder.tensor_of(i).detach());
    return made;
}

Result<std::vector<at::Tensor>> interpret_branch(const ProgramPtr& branch,
                                                 const std::vector<at::Tensor>& parameters,
                                                 const at::Tensor& x, const at::Tensor& gradient,
                                                 Precision precision) {
    at::AutoGradMode grad_mode(true);
    ESPER_TRY(auto prepared, prepare(branch, parameters, x));
    ESPER_TRY(auto found, differentiate(prepared, gradient, precision));
    std::vector<at::Tensor> all{found.y.detach()};
    std::size_t next = 0;
    const auto add = [&](const at::Tensor& of) {
        const auto& g = found.gradients[next++];
        all.push_back(g.defined() ? g.detach() : at::zeros_like(of));
    };
    add(x);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (branch->parameters()[i].trainable)
            add(parameters[i]);
        else
            all.push_back(at::zeros_like(parameters[i]));
    }
    return all;
}

Result<BranchList> BranchList::make(BranchRecording recording) {
    RecordedList list;
    BranchList made;
    made.x_ = recording.x;
    made.gradient_ = recording.gradient;
    list.ops = std::move(recording.ops);
    list.persistent = std::move(recording.persistent);
    list.inputs = {recording.x, recording.gradient};
    for (auto s : {recording.y, recording.dx})
        if (s != OpCall::kNoSlot) list.outputs.push_back(s);
    for (std::size_t i = 0; i < recording.parameter_values.size(); ++i)
        if (recording.parameter_gradients[i] != OpCall::kNoSlot)
            list.gradients.push_back(
                {recording.parameter_gradients[i], at::zeros_like(recording.parameter_values[i])});
    fold_constants(list, recording.values);
    drop_repeated_views(list);
    remove_dead_calls(list);
    replace_gelu(list, recording.values);
    fuse_small_linear(list, recording.values);
    remove_dead_calls(list);
    write_gradients_in_place(list);
    std::vector<bool> keep(list.ops.slot_count, false);
    for (const auto& [s, tensor] : list.persistent) keep[s] = true;
    for (auto s : list.outputs) keep[s] = true;
    for (const auto& g : list.gradients) keep[g.slot] = true;
    list.ops.plan_frees(keep);
    made.slots_.resize(list.ops.slot_count);
    for (const auto& [s, tensor] : list.persistent) made.slots_[s] = tensor;
    made.ops_ = std::move(list.ops);
    for (auto& g : list.gradients) made.gradients_.emplace_back(g.slot, g.target);
    made.outputs_ = list.outputs;
    return made;
}

Status BranchList::run(const at::Tensor& x, const at::Tensor& gradient) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    slots_[x_] = x;
    slots_[gradient_] = gradient;
    ESPER_CHECK_STATUS(ops_.run(slots_));
    for (auto& [slot, target] : gradients_) target.copy_(slots_[slot].toTensor());
    for (auto s : outputs_) slots_[s] = c10::IValue();
    return {};
}

}  // namespace esper::graph
