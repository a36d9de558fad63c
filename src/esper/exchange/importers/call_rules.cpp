#include "esper/exchange/importers/call_rules.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>

#include "esper/engine/operators/operator_library.h"
#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

// Asks the dispatcher itself: an operator that is not there is no error, and needs no suggestion.
bool exists(const std::string& op) {
    const auto dot = op.find('.');
    return c10::Dispatcher::singleton()
        .findSchema({op.substr(0, dot), dot == std::string::npos ? "" : op.substr(dot + 1)})
        .has_value();
}

std::string overload_with_number(const std::string& op, const c10::FunctionSchema& schema) {
    const auto dot = op.find('.');
    std::string scalar;
    if (dot == std::string::npos) {
        // `floor_divide` and its like have the overload without a name for tensors.
        const auto& arguments = schema.arguments();
        if (arguments.size() > 1 && arguments[1].type()->kind() == c10::TypeKind::TensorType)
            scalar = op + ".Scalar";
    } else {
        const auto overload = op.substr(dot + 1);
        const auto* wanted = overload == "Tensor"          ? "Scalar"
                             : overload == "Tensor_Tensor" ? "Tensor_Scalar"
                             : overload == "Tensor_mode"   ? "Scalar_mode"
                                                           : "";
        if (*wanted != '\0') scalar = op.substr(0, dot + 1) + wanted;
    }
    return !scalar.empty() && exists(scalar) ? scalar : "";
}

bool is_float(const c10::Argument& argument) {
    auto type = argument.type();
    if (type->kind() == c10::TypeKind::OptionalType)
        type = type->expectRef<c10::OptionalType>().getElementType();
    return type->kind() == c10::TypeKind::FloatType;
}

CallRule make_rule(const std::string& op, const c10::OperatorHandle& handle) {
    const auto& schema = handle.schema();
    CallRule rule{handle, overload_with_number(op, schema), {}, {}, {}, may_draw(op)};
    for (std::size_t i = 0; i < schema.arguments().size(); ++i) {
        const auto& argument = schema.arguments()[i];
        const auto& name = argument.name();
        if (name == "running_mean") rule.running_means.push_back(i);
        if (name == "training" || name == "train" || name == "use_input_stats")
            rule.training_flags.push_back(i);
        if (is_float(argument)) rule.floats.push_back(i);
    }
    return rule;
}

}  // namespace

Result<const CallRule*> CallRules::find(const std::string& op) {
    // Neighbours often have the same operator.
    if (last_ != nullptr && last_->first == op) return &last_->second;
    auto it = known_.find(op);
    if (it == known_.end()) {
        ESPER_TRY(const auto handle, find_operator(op));
        it = known_.emplace(op, make_rule(op, handle)).first;
    }
    last_ = &*it;
    return &it->second;
}

}  // namespace esper::graph::importing
