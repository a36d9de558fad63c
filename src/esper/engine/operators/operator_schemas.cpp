// The table's schemas against those of the installed libtorch.

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <mutex>
#include <unordered_map>

#include "esper/engine/operators/operator_library.h"
#include "esper/program/operators/operator_table.h"

namespace esper::graph {

namespace {

using Kind = SchemaType::Kind;

const c10::Type& without_optional(const c10::Type& type) {
    return type.kind() == c10::TypeKind::OptionalType
               ? *type.expectRef<c10::OptionalType>().getElementType()
               : type;
}

Kind kind_of(const c10::Type& type) {
    switch (type.kind()) {
        case c10::TypeKind::TensorType:
            return Kind::kTensor;
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
        case c10::TypeKind::ScalarTypeType:
        case c10::TypeKind::LayoutType:
        case c10::TypeKind::MemoryFormatType:
            return Kind::kInteger;
        case c10::TypeKind::FloatType:
        case c10::TypeKind::SymFloatType:
            return Kind::kFloat;
        case c10::TypeKind::NumberType:
            return Kind::kNumber;
        case c10::TypeKind::BoolType:
            return Kind::kBool;
        case c10::TypeKind::StringType:
            return Kind::kString;
        default:
            return Kind::kOther;
    }
}

bool same_type(const SchemaType& ours, const c10::Type& theirs) {
    if (ours.is_optional != (theirs.kind() == c10::TypeKind::OptionalType)) return false;
    const auto& bare = without_optional(theirs);
    if (ours.is_list != (bare.kind() == c10::TypeKind::ListType)) return false;
    if (!ours.is_list) return ours.kind == kind_of(bare);
    const auto& item = *bare.expectRef<c10::ListType>().getElementType();
    return ours.has_optional_items == (item.kind() == c10::TypeKind::OptionalType) &&
           ours.kind == kind_of(without_optional(item));
}

// Another libtorch may name or mark an argument otherwise; what is passed must be the same.
bool same_call(const OperatorSchema& ours, const c10::FunctionSchema& theirs) {
    if (ours.arguments.size() != theirs.arguments().size() ||
        ours.results.size() != theirs.returns().size())
        return false;
    for (std::size_t i = 0; i < ours.arguments.size(); ++i)
        if (!same_type(ours.arguments[i].type, *theirs.arguments()[i].type())) return false;
    for (std::size_t i = 0; i < ours.results.size(); ++i)
        if (!same_type(ours.results[i], *theirs.returns()[i].type())) return false;
    return true;
}

}  // namespace

Result<c10::OperatorHandle> find_program_operator(std::string_view op) {
    static std::mutex mutex;
    static std::unordered_map<const Operator*, c10::OperatorHandle> checked;
    ESPER_TRY(const auto* known, allowed_operator(op));
    std::lock_guard lock(mutex);
    if (auto it = checked.find(known); it != checked.end()) return it->second;
    ESPER_TRY(auto handle, find_operator(op));
    if (!same_call(known->schema, handle.schema()))
        return fail(GraphError::kUnknownOperator,
                    fmt::format("the installed libtorch has {} where {} was expected; build Esper "
                                "with a libtorch that has it",
                                c10::toString(handle.schema()), known->schema_text));
    checked.emplace(known, handle);
    return handle;
}

Result<Argument> default_argument(const c10::FunctionSchema& schema, std::size_t index) {
    const auto& argument = schema.arguments().at(index);
    if (!argument.default_value())
        return fail(GraphError::kBadArguments,
                    fmt::format("{}: argument '{}' ({}) is missing and has no default",
                                schema.name(), argument.name(), argument.type()->str()));
    const auto& v = *argument.default_value();
    if (v.isNone()) return Argument(Constant{});
    if (v.isBool()) return Argument(Constant{v.toBool()});
    if (v.isInt()) return Argument(Constant{v.toInt()});
    if (v.isDouble()) return Argument(Constant{v.toDouble()});
    if (v.isString()) return Argument(Constant{v.toStringRef()});
    if (v.isIntList()) return Argument(Constant{v.toIntVector()});
    if (v.isDoubleList()) return Argument(Constant{v.toDoubleVector()});
    if (v.isBoolList()) {
        std::vector<bool> bools;
        for (bool b : v.toBoolList()) bools.push_back(b);
        return Argument(Constant{std::move(bools)});
    }
    return fail(GraphError::kBadArguments,
                fmt::format("{}: the default of argument '{}' cannot be written in a Program; give "
                            "it explicitly",
                            schema.name(), argument.name()));
}

}  // namespace esper::graph
