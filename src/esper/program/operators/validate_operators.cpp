#include <fmt/format.h>

#include "esper/program/operators.h"
#include "esper/program/operators/operator_table.h"

namespace esper::graph {

namespace {

using Kind = SchemaType::Kind;

/// What a value of a Program is at run time. Integers and floats come from sizes: `aten::sym_size`
/// and the arithmetic of `esper::size_…`.
enum class ValueKind : std::uint8_t { kTensor, kInteger, kFloat };
using ValueKinds = std::vector<ValueKind>;

bool constant_fits(const Constant& constant, const SchemaType& type) {
    const auto holds = [&]<typename... T>() {
        return (std::holds_alternative<T>(constant) || ...);
    };
    if (type.is_optional && holds.template operator()<std::monostate>()) return true;
    if (type.is_list) {
        if (type.kind == Kind::kInteger)
            return holds.template operator()<std::vector<std::int64_t>>();
        if (type.kind == Kind::kFloat) return holds.template operator()<std::vector<double>>();
        if (type.kind == Kind::kBool) return holds.template operator()<std::vector<bool>>();
        return false;
    }
    switch (type.kind) {
        case Kind::kInteger:
            return holds.template operator()<std::int64_t, DType, MemoryFormat>();
        case Kind::kFloat:
            return holds.template operator()<double>();
        case Kind::kNumber:
            return holds.template operator()<std::int64_t, double, bool, TrainingFlag>();
        case Kind::kBool:
            return holds.template operator()<bool, TrainingFlag>();
        case Kind::kString:
            return holds.template operator()<std::string>();
        default:
            return false;
    }
}

bool item_fits(ValueKind value, Kind kind) {
    switch (kind) {
        case Kind::kTensor:
            return value == ValueKind::kTensor;
        case Kind::kInteger:
            return value == ValueKind::kInteger;
        case Kind::kFloat:
            return value == ValueKind::kFloat;
        case Kind::kNumber:
            return value != ValueKind::kTensor;
        default:
            return false;
    }
}

bool fits(const Argument& argument, const SchemaType& type, const ValueKinds& kinds) {
    if (const auto* id = std::get_if<ValueId>(&argument))
        return !type.is_list && item_fits(kinds[id->value()], type.kind);
    if (const auto* list = std::get_if<ValueList>(&argument)) {
        if (!type.is_list) return false;
        for (const auto& item : *list)
            if (item ? !item_fits(kinds[item->value()], type.kind) : !type.has_optional_items)
                return false;
        return true;
    }
    return constant_fits(std::get<Constant>(argument), type);
}

std::string kind_of(const Argument& argument) {
    if (std::holds_alternative<ValueId>(argument)) return "a value of another kind";
    if (std::holds_alternative<ValueList>(argument)) return "a list of values";
    return to_string(std::get<Constant>(argument));
}

/// The kinds of an operator's results. One that returns a list may have any number of them.
Status result_kinds(const OperatorSchema& schema, const auto& where,
                    const std::vector<ValueId>& results, ValueKinds& kinds) {
    if (schema.returns_list()) {
        if (!results.empty()) return {};
        return fail(GraphError::kBadArguments, where() + ": a list has at least one item");
    }
    if (schema.results.size() != results.size())
        return fail(GraphError::kBadArguments,
                    fmt::format("{}: expected {} results, got {}", where(), schema.results.size(),
                                results.size()));
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto kind = schema.results[i].kind;
        kinds[results[i].value()] = kind == Kind::kInteger ? ValueKind::kInteger
                                    : kind == Kind::kFloat ? ValueKind::kFloat
                                                           : ValueKind::kTensor;
    }
    return {};
}

Status validate_instruction(const Instruction& instruction, std::size_t index, ValueKinds& kinds) {
    const auto where = [&] { return fmt::format("instruction {} ({})", index, instruction.op); };
    auto known = allowed_operator(instruction.op);
    if (!known) return fail(known.error().within(fmt::format("instruction {}", index)));
    const auto& schema = (*known)->schema;
    if (schema.arguments.size() != instruction.args.size())
        return fail(
            GraphError::kBadArguments,
            fmt::format("{}: expected {} arguments, got {}; the schema is {}", where(),
                        schema.arguments.size(), instruction.args.size(), (*known)->schema_text));
    for (std::size_t i = 0; i < instruction.args.size(); ++i) {
        const auto& argument = schema.arguments[i];
        if (!fits(instruction.args[i], argument.type, kinds))
            return fail(GraphError::kBadArguments,
                        fmt::format("{}: argument '{}' must be {}, got {}", where(), argument.name,
                                    argument.type.text, kind_of(instruction.args[i])));
    }
    return result_kinds(schema, where, instruction.results, kinds);
}

Status must_be_tensor(std::string_view what, const std::string& name, ValueId value,
                      const ValueKinds& kinds) {
    if (kinds[value.value()] == ValueKind::kTensor) return {};
    return fail(GraphError::kBadArguments,
                fmt::format("{} '{}' must be a tensor, but its value is a size", what, name));
}

Result<Constant> default_of(const SchemaArgument& argument, std::string_view op) {
    if (argument.fallback) return *argument.fallback;
    return fail(GraphError::kBadArguments,
                fmt::format("{}: argument '{}' ({}) is missing and has no default", op,
                            argument.name, argument.type.text));
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

Status validate_blueprint_operators(const Program& program) {
    for (const auto& instruction : program.instructions()) {
        ESPER_TRY(const auto* known, allowed_operator(instruction.op));
        if (known->permission != Permission::kBlueprints)
            return fail(GraphError::kForbiddenOperator,
                        "blueprint '" + program.name() + "' uses " + instruction.op +
                            ", which a host may use and a blueprint may not (the table in "
                            "src/esper/program/operators/)");
    }
    return {};
}

Status fill_defaults(std::string_view op, std::vector<Argument>& args) {
    ESPER_TRY(const auto* known, allowed_operator(op));
    const auto& arguments = known->schema.arguments;
    for (std::size_t i = 0; i < args.size() && i < arguments.size(); ++i) {
        // An integer where the schema wants a float is what people write; store what is meant.
        auto* c = std::get_if<Constant>(&args[i]);
        const auto& type = arguments[i].type;
        if (c != nullptr && std::holds_alternative<std::int64_t>(*c) && !type.is_list &&
            type.kind == Kind::kFloat)
            *c = static_cast<double>(std::get<std::int64_t>(*c));
    }
    while (args.size() < arguments.size()) {
        ESPER_TRY(auto value, default_of(arguments[args.size()], op));
        args.emplace_back(std::move(value));
    }
    return {};
}

}  // namespace esper::graph
