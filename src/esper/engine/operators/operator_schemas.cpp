#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include "esper/engine/operators/operator_library.h"
#include "esper/program/operators.h"

namespace esper::graph {

namespace {

/// What a value of a Program is at run time. Integers and floats come from sizes: `aten::sym_size`
/// and the arithmetic of `esper::size_…`.
enum class ValueKind : std::uint8_t { kTensor, kInteger, kFloat };
using ValueKinds = std::vector<ValueKind>;

const c10::Type& without_optional(const c10::Type& type) {
    return type.kind() == c10::TypeKind::OptionalType
               ? *type.expectRef<c10::OptionalType>().getElementType()
               : type;
}

bool constant_fits(const Constant& constant, const c10::Type& type) {
    auto holds = [&]<typename... T>() { return (std::holds_alternative<T>(constant) || ...); };
    switch (type.kind()) {
        case c10::TypeKind::OptionalType:
            if (holds.template operator()<std::monostate>()) return true;
            return constant_fits(constant, *type.expectRef<c10::OptionalType>().getElementType());
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
            return holds.template operator()<std::int64_t, DType, MemoryFormat>();
        case c10::TypeKind::FloatType:
        case c10::TypeKind::SymFloatType:
            return holds.template operator()<double>();
        case c10::TypeKind::NumberType:
            return holds.template operator()<std::int64_t, double, bool, TrainingFlag>();
        case c10::TypeKind::BoolType:
            return holds.template operator()<bool, TrainingFlag>();
        case c10::TypeKind::StringType:
            return holds.template operator()<std::string>();
        case c10::TypeKind::ListType: {
            auto element = type.expectRef<c10::ListType>().getElementType()->kind();
            if (element == c10::TypeKind::IntType || element == c10::TypeKind::SymIntType)
                return holds.template operator()<std::vector<std::int64_t>>();
            if (element == c10::TypeKind::FloatType)
                return holds.template operator()<std::vector<double>>();
            if (element == c10::TypeKind::BoolType)
                return holds.template operator()<std::vector<bool>>();
            return false;
        }
        default:
            return false;
    }
}

bool value_fits(ValueKind kind, const c10::Type& type) {
    switch (without_optional(type).kind()) {
        case c10::TypeKind::TensorType:
            return kind == ValueKind::kTensor;
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
            return kind == ValueKind::kInteger;
        case c10::TypeKind::FloatType:
        case c10::TypeKind::SymFloatType:
            return kind == ValueKind::kFloat;
        case c10::TypeKind::NumberType:
            return kind != ValueKind::kTensor;
        default:
            return false;
    }
}

bool list_fits(const ValueList& list, const c10::Type& maybe, const ValueKinds& kinds) {
    const auto& type = without_optional(maybe);
    if (type.kind() != c10::TypeKind::ListType) return false;
    const auto& element = *type.expectRef<c10::ListType>().getElementType();
    for (const auto& item : list) {
        if (!item && element.kind() != c10::TypeKind::OptionalType) return false;
        if (item && !value_fits(kinds[item->value()], element)) return false;
    }
    return true;
}

bool fits(const Argument& argument, const c10::Type& type, const ValueKinds& kinds) {
    if (const auto* id = std::get_if<ValueId>(&argument))
        return value_fits(kinds[id->value()], type);
    if (const auto* list = std::get_if<ValueList>(&argument)) return list_fits(*list, type, kinds);
    return constant_fits(std::get<Constant>(argument), type);
}

/// The kinds of an operator's results. One that returns a list (`split`, `unbind`) may have any
/// number of them: they are its items.
Status result_kinds(const c10::FunctionSchema& schema, const std::string& where,
                    const std::vector<ValueId>& results, ValueKinds& kinds) {
    if (returns_list(schema)) {
        if (!results.empty()) return {};
        return fail(GraphError::kBadArguments, where + ": a list has at least one item");
    }
    if (schema.returns().size() != results.size())
        return fail(GraphError::kBadArguments,
                    fmt::format("{}: expected {} results, got {}", where, schema.returns().size(),
                                results.size()));
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto& type = *schema.returns()[i].type();
        auto& kind = kinds[results[i].value()];
        if (type.kind() == c10::TypeKind::TensorType)
            kind = ValueKind::kTensor;
        else if (type.kind() == c10::TypeKind::IntType || type.kind() == c10::TypeKind::SymIntType)
            kind = ValueKind::kInteger;
        else if (type.kind() == c10::TypeKind::FloatType)
            kind = ValueKind::kFloat;
        else
            return fail(GraphError::kBadArguments,
                        where +
                            ": only operators that return tensors, lists of them or sizes can "
                            "stand in a Program, not " +
                            type.str());
    }
    return {};
}

std::string kind_of(const Argument& argument) {
    if (std::holds_alternative<ValueId>(argument)) return "a value of another kind";
    if (std::holds_alternative<ValueList>(argument)) return "a list of values";
    return to_string(std::get<Constant>(argument));
}

Status validate_instruction(const Instruction& instruction, std::size_t index, ValueKinds& kinds) {
    ESPER_TRY(auto handle, find_operator(instruction.op));
    const auto& schema = handle.schema();
    auto where = fmt::format("instruction {} ({})", index, instruction.op);
    if (schema.arguments().size() != instruction.args.size())
        return fail(
            GraphError::kBadArguments,
            fmt::format("{}: expected {} arguments, got {}; the schema is {}", where,
                        schema.arguments().size(), instruction.args.size(), c10::toString(schema)));
    for (std::size_t i = 0; i < instruction.args.size(); ++i) {
        const auto& argument = schema.arguments()[i];
        if (!fits(instruction.args[i], *argument.type(), kinds))
            return fail(GraphError::kBadArguments,
                        fmt::format("{}: argument '{}' must be {}, got {}", where, argument.name(),
                                    argument.type()->str(), kind_of(instruction.args[i])));
    }
    return result_kinds(schema, where, instruction.results, kinds);
}

Status must_be_tensor(std::string_view what, const std::string& name, ValueId value,
                      const ValueKinds& kinds) {
    if (kinds[value.value()] == ValueKind::kTensor) return {};
    return fail(GraphError::kBadArguments,
                fmt::format("{} '{}' must be a tensor, but its value is a size", what, name));
}

Result<Constant> default_of(const c10::Argument& argument, std::string_view op) {
    if (!argument.default_value())
        return fail(GraphError::kBadArguments,
                    fmt::format("{}: argument '{}' ({}) is missing and has no default", op,
                                argument.name(), argument.type()->str()));
    const auto& v = *argument.default_value();
    if (v.isNone()) return Constant{};
    if (v.isBool()) return Constant{v.toBool()};
    if (v.isInt()) return Constant{v.toInt()};
    if (v.isDouble()) return Constant{v.toDouble()};
    if (v.isString()) return Constant{v.toStringRef()};
    if (v.isIntList()) return Constant{v.toIntVector()};
    if (v.isDoubleList()) return Constant{v.toDoubleVector()};
    if (v.isBoolList()) {
        std::vector<bool> bools;
        for (bool b : v.toBoolList()) bools.push_back(b);
        return Constant{std::move(bools)};
    }
    return fail(GraphError::kBadArguments,
                fmt::format("{}: the default of argument '{}' cannot be written in a Program; give "
                            "it explicitly",
                            op, argument.name()));
}

}  // namespace

Status validate_operators(const Program& program) {
    ValueKinds kinds(program.value_count(), ValueKind::kTensor);
    std::size_t index = 0;
    for (const auto& instruction : program.instructions())
        ESPER_CHECK_STATUS(validate_instruction(instruction, index++, kinds));
    for (const auto& o : program.outputs())
        ESPER_CHECK_STATUS(must_be_tensor("output", o.name, o.value, kinds));
    for (const auto& a : program.anchors())
        ESPER_CHECK_STATUS(must_be_tensor("anchor", a.name, a.value, kinds));
    return {};
}

Status fill_defaults(std::string_view op, std::vector<Argument>& args) {
    ESPER_TRY(auto handle, find_operator(op));
    const auto& arguments = handle.schema().arguments();
    for (std::size_t i = 0; i < args.size() && i < arguments.size(); ++i) {
        // An integer where the schema wants a float is what people write; store what is meant.
        auto* c = std::get_if<Constant>(&args[i]);
        if (c && std::holds_alternative<std::int64_t>(*c)) {
            auto kind = arguments[i].type()->kind();
            if (kind == c10::TypeKind::OptionalType)
                kind = arguments[i].type()->expectRef<c10::OptionalType>().getElementType()->kind();
            if (kind == c10::TypeKind::FloatType)
                *c = static_cast<double>(std::get<std::int64_t>(*c));
        }
    }
    while (args.size() < arguments.size()) {
        ESPER_TRY(auto value, default_of(arguments[args.size()], op));
        args.emplace_back(std::move(value));
    }
    return {};
}

Result<Argument> default_argument(std::string_view op, std::size_t index) {
    ESPER_TRY(auto handle, find_operator(op));
    const auto& arguments = handle.schema().arguments();
    if (index >= arguments.size())
        return fail(GraphError::kBadArguments,
                    fmt::format("{} has {} arguments, not {}", op, arguments.size(), index + 1));
    ESPER_TRY(auto value, default_of(arguments[index], op));
    return Argument(std::move(value));
}

Result<int> result_count(std::string_view op) {
    ESPER_TRY(auto handle, find_operator(op));
    return static_cast<int>(handle.schema().returns().size());
}

}  // namespace esper::graph
