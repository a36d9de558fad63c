#include "esper/engine/joint/recorder.h"

#include <ATen/core/List.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <algorithm>
#include <mutex>

#include "esper/engine/operators/operator_library.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

namespace {

thread_local Recorder* current_recorder = nullptr;

// If the mask excludes the input's gradient of a channels-last group norm, libtorch 2.13 writes it
// through a null pointer. So the mask always includes it.
void ask_for_input_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
    if (op.operator_name().name != "aten::native_group_norm_backward") return;
    auto mask = stack.back().toBoolList().copy();
    mask.set(0, true);
    stack.back() = mask;
}

void fallback(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::Fake);
    ask_for_input_gradient(op, *stack);
    if (current_recorder != nullptr)
        current_recorder->record(op, *stack);
    else
        op.callBoxed(*stack);
}

void register_fallback() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library library(torch::Library::IMPL, "_",
                                      std::make_optional(c10::DispatchKey::Fake), __FILE__,
                                      __LINE__);
        library.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
    });
}

// Attention is tagged as random because of its dropout; without dropout it draws no numbers.
bool draws_random_numbers(const c10::OperatorHandle& op, const torch::jit::Stack& stack,
                          std::size_t first) {
    if (!op.hasTag(at::Tag::nondeterministic_seeded)) return false;
    const auto& arguments = op.schema().arguments();
    for (std::size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i].name() == "dropout_p" || arguments[i].name() == "dropout_rate")
            return !(stack[first + i].isDouble() && stack[first + i].toDouble() == 0);
    return true;
}

// Arithmetic on sizes without a tensor: fixed by the inputs' signature, so it needs no replay.
bool returns_size_only(const c10::FunctionSchema& schema) {
    const auto is_size = [](const c10::Argument& argument) {
        const auto kind = argument.type()->kind();
        return kind == c10::TypeKind::IntType || kind == c10::TypeKind::SymIntType ||
               kind == c10::TypeKind::FloatType;
    };
    return !schema.returns().empty() &&
           std::all_of(schema.returns().begin(), schema.returns().end(), is_size) &&
           std::all_of(schema.arguments().begin(), schema.arguments().end(), is_size);
}

const void* storage_of(const at::Tensor& tensor) {
    return tensor.has_storage() ? static_cast<const void*>(tensor.storage().unsafeGetStorageImpl())
                                : static_cast<const void*>(tensor.unsafeGetTensorImpl());
}

}  // namespace

struct Recorder::Guards {
    c10::impl::IncludeDispatchKeyGuard include{c10::DispatchKey::Fake};
};

Recorder::Recorder() {
    register_fallback();
    current_recorder = this;
    guards_ = std::make_unique<Guards>();
}

Recorder::~Recorder() { stop(); }

void Recorder::stop() {
    guards_.reset();
    if (current_recorder == this) current_recorder = nullptr;
}

Recorder::Key Recorder::key_of(const at::Tensor& tensor) {
    return {storage_of(tensor), tensor.storage_offset(), tensor.sizes().vec(),
            tensor.strides().vec(), static_cast<int>(tensor.scalar_type())};
}

std::uint32_t Recorder::add_input(const at::Tensor& tensor) {
    return slot_for_result(tensor, true);
}

void Recorder::add_persistent(const at::Tensor& tensor) {
    persistent_storage_.emplace(storage_of(tensor), tensor);
    slot_for_argument(tensor);
}

bool Recorder::in_persistent_memory(const at::Tensor& tensor) const {
    return persistent_storage_.count(storage_of(tensor)) > 0;
}

std::optional<std::uint32_t> Recorder::slot_of(const at::Tensor& tensor) const {
    auto it = slots_.find(key_of(tensor));
    return it == slots_.end() ? std::nullopt : std::optional(it->second);
}

std::uint32_t Recorder::new_slot(const at::Tensor& tensor, bool keeps_elements) {
    const auto slot = ops_.slot_count++;
    tensors_.push_back(tensor.detach());
    if (!keeps_elements && tensor.has_storage())
        ++watched_.try_emplace(tensor.storage().unsafeGetStorageImpl(), Watched{slot})
              .first->second.tensors;
    return slot;
}

std::uint32_t Recorder::slot_for_argument(const at::Tensor& tensor) {
    auto [it, fresh] = slots_.try_emplace(key_of(tensor), ops_.slot_count);
    if (!fresh) return it->second;
    const auto slot = new_slot(tensor, true);
    // First seen as an argument: no recorded operator made it, so it is the same in every run.
    persistent_.emplace(slot, tensors_[slot]);
    return slot;
}

std::uint32_t Recorder::slot_for_result(const at::Tensor& tensor, bool keeps_elements) {
    auto [it, fresh] = slots_.try_emplace(key_of(tensor), ops_.slot_count);
    if (!fresh) return it->second;
    const bool is_persistent = in_persistent_memory(tensor);
    const auto slot = new_slot(tensor, keeps_elements || is_persistent);
    if (is_persistent) persistent_.emplace(slot, tensors_[slot]);
    return slot;
}

// Looks at each watched storage, but at no more than kChecks of them per recorded call.
void Recorder::free_unheld_elements() {
    constexpr std::size_t kChecks = 256;
    if (++calls_since_freeing_ * kChecks < watched_.size()) return;
    calls_since_freeing_ = 0;
    std::erase_if(watched_, [&](const auto& item) {
        const auto& storage = tensors_[item.second.slot].storage();
        if (storage.use_count() > item.second.tensors) return false;
        storage.unsafeGetStorageImpl()->set_data_ptr_noswap(
            c10::DataPtr(nullptr, storage.device()));
        return true;
    });
}

void Recorder::record(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
    using Elements = OpCall::ListArgument::Elements;
    free_unheld_elements();
    OpCall call(op);
    call.label = operator_name(op);
    const auto count = static_cast<std::uint32_t>(op.schema().arguments().size());
    const auto first = stack.size() - count;
    for (std::uint32_t i = 0; i < count; ++i) {
        const c10::IValue& value = stack[first + i];
        call.stack.emplace_back();
        if (value.isTensor()) {
            const auto& tensor = value.toTensor();
            if (tensor.defined())
                call.slot_arguments.push_back({i, slot_for_argument(tensor)});
            else
                call.stack.back() = value;
        } else if (value.isTensorList()) {
            OpCall::ListArgument list{i, {}, Elements::kTensors};
            for (const at::Tensor& t : value.toTensorVector())
                list.slots.push_back(slot_for_argument(t));
            call.list_arguments.push_back(std::move(list));
        } else if (value.isOptionalTensorList()) {
            OpCall::ListArgument list{i, {}, Elements::kOptionalTensors};
            for (const auto& t : value.toOptionalTensorVector())
                list.slots.push_back(t && t->defined() ? slot_for_argument(*t) : OpCall::kNoSlot);
            call.list_arguments.push_back(std::move(list));
        } else {
            call.stack.back() = value;
        }
    }
    if (draws_random_numbers(op, stack, first) && !error_)
        error_ = fail(GraphError::kExecution,
                      call.label +
                          " draws from the global random generator, which a replay could not "
                          "repeat; use esper::dropout_mask")
                     .value();
    op.callBoxed(stack);
    if (returns_size_only(op.schema())) return;
    const auto& returns = op.schema().returns();
    const auto results = stack.size() - returns.size();
    if (returns_list(op.schema())) {
        call.unpacks_list = true;
        for (const at::Tensor& item : stack[results].toTensorVector())
            call.results.push_back(item.defined() ? slot_for_result(item, false) : OpCall::kNoSlot);
        ops_.calls.push_back(std::move(call));
        return;
    }
    const bool constant = makes_constant(op);
    bool all_persistent = !returns.empty() && !op.schema().is_mutable();
    for (std::size_t i = 0; i < returns.size(); ++i) {
        const c10::IValue& value = stack[results + i];
        if (!value.isTensor()) {
            if (!error_)
                error_ = fail(GraphError::kExecution,
                              call.label + " returns " + value.tagKind() +
                                  ", which a recorded list cannot follow from run to run")
                             .value();
            return;
        }
        const auto& tensor = value.toTensor();
        call.results.push_back(tensor.defined() ? slot_for_result(tensor, constant)
                                                : OpCall::kNoSlot);
        all_persistent = all_persistent && tensor.defined() && in_persistent_memory(tensor);
    }
    const bool alias_of_argument = call.results.size() == 1 && call.slot_arguments.size() == 1 &&
                                   !op.schema().is_mutable() &&
                                   call.results[0] == call.slot_arguments[0].slot;
    if (all_persistent || alias_of_argument) return;
    ops_.calls.push_back(std::move(call));
}

Result<OpList> Recorder::take() {
    if (error_) return fail(*error_);
    return std::move(ops_);
}

}  // namespace esper::graph
