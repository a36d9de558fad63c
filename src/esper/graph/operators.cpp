#include "esper/graph/operators.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include "esper/graph/operator_library.h"

namespace esper::graph {

namespace {

bool fits(const Argument& argument, const c10::Type& type);

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
            return holds.template operator()<std::int64_t, double, bool>();
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

bool list_fits(const ValueList& list, const c10::Type& type) {
    if (type.kind() != c10::TypeKind::ListType) return false;
    auto element = type.expectRef<c10::ListType>().getElementType();
    if (element->kind() == c10::TypeKind::TensorType) {
        for (const auto& item : list)
            if (!item) return false;
        return true;
    }
    return element->kind() == c10::TypeKind::OptionalType;
}

bool fits(const Argument& argument, const c10::Type& type) {
    if (std::holds_alternative<ValueId>(argument)) {
        if (type.kind() == c10::TypeKind::OptionalType)
            return fits(argument, *type.expectRef<c10::OptionalType>().getElementType());
        return type.kind() == c10::TypeKind::TensorType;
    }
    if (const auto* list = std::get_if<ValueList>(&argument)) return list_fits(*list, type);
    return constant_fits(std::get<Constant>(argument), type);
}

std::string kind_of(const Argument& argument) {
    if (std::holds_alternative<ValueId>(argument)) return "a tensor";
    if (std::holds_alternative<ValueList>(argument)) return "a list of tensors";
    return to_string(std::get<Constant>(argument));
}

Status validate_instruction(const Instruction& instruction, std::size_t index) {
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
        if (!fits(instruction.args[i], *argument.type()))
            return fail(GraphError::kBadArguments,
                        fmt::format("{}: argument '{}' must be {}, got {}", where, argument.name(),
                                    argument.type()->str(), kind_of(instruction.args[i])));
    }
    if (schema.returns().size() != instruction.results.size())
        return fail(GraphError::kBadArguments,
                    fmt::format("{}: expected {} results, got {}", where, schema.returns().size(),
                                instruction.results.size()));
    for (const auto& r : schema.returns())
        if (r.type()->kind() != c10::TypeKind::TensorType)
            return fail(GraphError::kBadArguments,
                        where +
                            ": only operators that return tensors can stand in a Program, not " +
                            r.type()->str());
    return {};
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
    std::size_t index = 0;
    for (const auto& instruction : program.instructions())
        ESPER_CHECK_STATUS(validate_instruction(instruction, index++));
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

Result<int> result_count(std::string_view op) {
    ESPER_TRY(auto handle, find_operator(op));
    return static_cast<int>(handle.schema().returns().size());
}

}  // namespace esper::graph
