#include "esper/engine/shapes/looking.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <mutex>

namespace esper::graph {

namespace {

constexpr auto kKey = c10::DispatchKey::TESTING_ONLY_GenericWrapper;

// The device of what is newly made. An operator with a tensor to go by follows that tensor.
void put_on_meta(const c10::FunctionSchema& schema, torch::jit::Stack& stack) {
    const auto& arguments = schema.arguments();
    const auto first = stack.size() - arguments.size();
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& value = stack[first + i];
        if (value.isTensor() || value.isTensorList() || value.isOptionalTensorList()) return;
    }
    for (std::size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i].name() == "device") stack[first + i] = c10::Device(c10::kMeta);
}

void look(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
    const auto& ours = meta_kernels();
    const auto at = ours.find(op.operator_name());
    if (at != ours.end()) {
        at->second.callBoxed(op, keys, stack);
        return;
    }
    put_on_meta(op.schema(), *stack);
    // Keys below this one; it stays included, so that what the operator calls comes here as well.
    op.redispatchBoxed(keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, kKey), stack);
}

void register_fallback() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library library(torch::Library::IMPL, "_", std::make_optional(kKey), __FILE__,
                                      __LINE__);
        library.fallback(torch::CppFunction::makeFromBoxedFunction<&look>());
    });
}

}  // namespace

Looking::Looking() : include_((register_fallback(), kKey)) {}

}  // namespace esper::graph
