#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include "esper/engine/operators/operator_library.h"
#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

constexpr std::string_view kToDevice = "aten::to.device";

bool is_value(const Argument& argument) { return std::holds_alternative<ValueId>(argument); }
bool is_number(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant != nullptr &&
           (std::holds_alternative<std::int64_t>(*constant) ||
            std::holds_alternative<double>(*constant) || std::holds_alternative<bool>(*constant));
}
bool is_true(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant != nullptr && *constant == Constant{true};
}

// A number beside a tensor stands in another overload than a second tensor.
void number_as_scalar(const Writer& writer, std::string& op, const std::vector<Argument>& args) {
    if (args.size() < 2 || !is_value(args[0])) return;
    const auto* size = std::get_if<ValueId>(&args[1]);
    if (!is_number(args[1]) && (size == nullptr || !writer.is_size(*size))) return;
    const auto dot = op.find('.');
    if (dot == std::string::npos) {
        // `floor_divide` and its like have the overload without a name for tensors.
        const auto handle = find_operator(op);
        const auto scalar = op + ".Scalar";
        if (handle && handle->schema().arguments()[1].type()->kind() == c10::TypeKind::TensorType &&
            find_operator(scalar))
            op = scalar;
        return;
    }
    const auto overload = op.substr(dot + 1);
    const auto* wanted = overload == "Tensor"          ? "Scalar"
                         : overload == "Tensor_Tensor" ? "Tensor_Scalar"
                         : overload == "Tensor_mode"   ? "Scalar_mode"
                                                       : "";
    const auto scalar = op.substr(0, dot + 1) + wanted;
    if (*wanted != '\0' && find_operator(scalar)) op = scalar;
}

// BatchNorm counts its batches while training only.
void count_batches(Writer& writer, const std::string& op, std::vector<Argument>& args) {
    if ((op != "aten::add_.Scalar" && op != "aten::add.Scalar") || !is_value(args[0])) return;
    for (const auto& buffer : writer.parts.buffers) {
        if (buffer.value != std::get<ValueId>(args[0]) ||
            !buffer.name.ends_with("num_batches_tracked") ||
            args[1] != Argument(Constant{std::int64_t{1}}))
            continue;
        args[1] = Constant{TrainingFlag{}};
        writer.saw_training_flag = true;
    }
}

void training_flag_of(Writer& writer, const std::string& op, std::vector<Argument>& args) {
    const auto handle = find_operator(op);
    if (!handle) return;
    const auto& schema = handle->schema().arguments();
    // Without running statistics a norm uses the batch's in evaluation too.
    for (std::size_t i = 0; i < args.size() && i < schema.size(); ++i)
        if (schema[i].name() == "running_mean" && !is_value(args[i])) return;
    for (std::size_t i = 0; i < args.size() && i < schema.size(); ++i) {
        const auto& name = schema[i].name();
        if ((name != "training" && name != "train" && name != "use_input_stats") ||
            !is_true(args[i]))
            continue;
        args[i] = Constant{TrainingFlag{}};
        writer.saw_training_flag = true;
    }
}

// By libtorch's schema: some of what is written here becomes operators of the table further on.
Status fill_schema_defaults(const std::string& op, std::vector<Argument>& args) {
    ESPER_TRY(const auto handle, find_operator(op));
    const auto& schema = handle.schema();
    for (std::size_t i = 0; i < args.size() && i < schema.arguments().size(); ++i) {
        auto* constant = std::get_if<Constant>(&args[i]);
        const auto* whole = constant == nullptr ? nullptr : std::get_if<std::int64_t>(constant);
        auto type = schema.arguments()[i].type();
        if (type->kind() == c10::TypeKind::OptionalType)
            type = type->expectRef<c10::OptionalType>().getElementType();
        if (whole != nullptr && type->kind() == c10::TypeKind::FloatType)
            *constant = static_cast<double>(*whole);
    }
    while (args.size() < schema.arguments().size()) {
        ESPER_TRY(auto value, default_argument(schema, args.size()));
        args.push_back(std::move(value));
    }
    return {};
}

}  // namespace

bool is_rewritten(std::string_view op) { return op == kToDevice || has_random_rule(op); }

Result<std::vector<ValueId>> write_call(Writer& writer, std::string op, std::vector<Argument> args,
                                        std::size_t results) {
    // A batch in channels-last order has no view of this kind; where it has, this is one.
    if (op == "aten::view") op = "aten::reshape";
    if (op == kToDevice && args.size() > 1) {
        op = "aten::to.dtype";
        args.erase(args.begin() + 1);
    }
    number_as_scalar(writer, op, args);
    count_batches(writer, op, args);
    training_flag_of(writer, op, args);
    ESPER_CHECK_STATUS(fill_schema_defaults(op, args));
    ESPER_TRY(auto ids, write_random_call(writer, {op, args}));
    if (!ids) {
        ESPER_TRY(ids, writer.call(std::move(op), std::move(args), results));
    }
    if (ids->size() < results)
        return fail(GraphError::kBadArguments,
                    fmt::format("expected {} results, got {}", ids->size(), results));
    return std::move(*ids);
}

}  // namespace esper::graph::importing
