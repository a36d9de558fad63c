#include "esper/graph/joint/joint_program.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>

#include "esper/graph/interpreter.h"
#include "esper/graph/joint/recorder.h"
#include "esper/graph/rewrites/rewrites.h"
#include "esper/graph/torch_compat.h"

namespace esper::graph {

struct JointProgram::Impl {
    ProgramPtr program;
    OpList ops;
    std::vector<c10::IValue> slots;
    std::vector<std::uint32_t> input_slots;
    std::vector<at::Tensor> example;  // meta: shapes and types only
    std::vector<std::uint32_t> outputs;
    std::vector<std::uint32_t> taps;
    std::vector<std::uint32_t> gradient_taps;
    std::vector<RecordedList::GradientWrite> gradients;
    std::vector<at::Tensor> unused_gradients;
};

namespace {

struct AutocastScope {
    explicit AutocastScope(bool on) : on_(on) {
        if (!on_) return;
        at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
        at::autocast::set_autocast_enabled(at::kCPU, true);
        at::autocast::set_autocast_cache_enabled(true);
        at::autocast::increment_nesting();
    }
    ~AutocastScope() {
        if (!on_) return;
        if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
        at::autocast::set_autocast_enabled(at::kCPU, false);
    }
    AutocastScope(const AutocastScope&) = delete;
    AutocastScope& operator=(const AutocastScope&) = delete;
    bool on_;
};

// Recording runs the real operators once; what they do to buffers is taken back.
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
        return fail(GraphError::kNotDifferentiable, e.what());
    }
    return pass;
}

}  // namespace

JointProgram::JointProgram(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JointProgram::~JointProgram() = default;
JointProgram::JointProgram(JointProgram&&) noexcept = default;
JointProgram& JointProgram::operator=(JointProgram&&) noexcept = default;

Result<JointProgram> JointProgram::record(const JointSpec& spec, TensorStore& store,
                                          std::span<const at::Tensor> example_inputs) {
    const auto& program = *spec.program;
    ESPER_TRY(auto interpreter, Interpreter::make(spec.program, spec.training));
    ESPER_TRY(auto bindings, Interpreter::bind(program, store, example_inputs));
    auto impl = std::make_unique<Impl>();
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
    // Example inputs are cloned so that what is recorded never aliases the caller's memory.
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
            if (s) recorded.emplace(*s, tensor.detach());
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
    }
    for (const auto* group : {&impl->outputs, &impl->taps, &impl->gradient_taps})
        for (auto s : *group) {
            if (s != OpCall::kNoSlot) list.outputs.push_back(s);
        }
    list.inputs = impl->input_slots;
    if (spec.rewrite) {
        fold_constants(list, recorded);
        remove_dead_calls(list);
        join_selected_gradients(list);
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
    impl->ops = std::move(list.ops);
    impl->gradients = std::move(list.gradients);
    return JointProgram(std::move(impl));
}

Result<JointProgram::Outputs> JointProgram::run(std::span<const at::Tensor> inputs) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto& m = *impl_;
    if (inputs.size() != m.example.size())
        return fail(GraphError::kShapeMismatch,
                    fmt::format("this Program was recorded with {} inputs, got {}",
                                m.example.size(), inputs.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].sizes() != m.example[i].sizes() ||
            inputs[i].strides() != m.example[i].strides() ||
            inputs[i].scalar_type() != m.example[i].scalar_type())
            return fail(GraphError::kShapeMismatch,
                        fmt::format("input {} was recorded as {} [{}], got {} [{}] (or other "
                                    "strides); record again",
                                    i, c10::toString(m.example[i].scalar_type()),
                                    fmt::join(m.example[i].sizes(), ", "),
                                    c10::toString(inputs[i].scalar_type()),
                                    fmt::join(inputs[i].sizes(), ", ")));
        m.slots[m.input_slots[i]] = inputs[i];
    }
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
    return result;
}

std::size_t JointProgram::operator_count() const { return impl_->ops.calls.size(); }

std::vector<std::pair<std::string, std::size_t>> JointProgram::operator_histogram() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& call : impl_->ops.calls) ++counts[call.label];
    return {counts.begin(), counts.end()};
}

}  // namespace esper::graph
