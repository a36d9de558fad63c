#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <limits>

#include "esper/base/printable_text.h"
#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

using nlohmann::json;

const c10::Type& bare(const c10::Type& type) {
    return type.kind() == c10::TypeKind::OptionalType
               ? bare(*type.expectRef<c10::OptionalType>().getElementType())
               : type;
}
bool is_list_of(const c10::Type& type, std::initializer_list<c10::TypeKind> kinds) {
    if (type.kind() != c10::TypeKind::ListType) return false;
    const auto kind = bare(*type.expectRef<c10::ListType>().getElementType()).kind();
    for (const auto wanted : kinds)
        if (kind == wanted) return true;
    return false;
}
bool is_integers(const c10::Type& type) {
    return is_list_of(type, {c10::TypeKind::IntType, c10::TypeKind::SymIntType});
}
bool is_reals(const c10::Type& type) { return is_list_of(type, {c10::TypeKind::FloatType}); }

// JSON has no infinity; the writer writes words instead.
double read_double(const json& value) {
    if (!value.is_string()) return value.get<double>();
    const auto word = value.get<std::string>();
    const auto infinity = std::numeric_limits<double>::infinity();
    if (word == "Infinity") return infinity;
    if (word == "-Infinity") return -infinity;
    return std::numeric_limits<double>::quiet_NaN();
}

Argument as_argument(const Writer::Bound& bound) {
    return std::visit([](const auto& b) -> Argument { return b; }, bound);
}

Result<Argument> named(const Writer& writer, const json& name) {
    ESPER_TRY(const auto bound, writer.find(name.get<std::string>()));
    return as_argument(bound);
}

// {"as_name": …} or {"as_int": …} (or as_float).
Result<Argument> size_or_number(const Writer& writer, const json& item) {
    if (item.contains("as_name")) return named(writer, item.at("as_name"));
    if (item.contains("as_int")) return Argument(Constant{item.at("as_int").get<std::int64_t>()});
    return Argument(Constant{read_double(item.at("as_float"))});
}

// Sizes and numbers mixed: every one becomes a value.
Result<Argument> size_list(Writer& writer, const json& items) {
    std::vector<std::int64_t> numbers;
    ValueList values;
    bool fixed = true;
    for (const auto& item : items) {
        ESPER_TRY(const auto one, size_or_number(writer, item));
        if (const auto* constant = std::get_if<Constant>(&one)) {
            const auto* number = std::get_if<std::int64_t>(constant);
            if (number == nullptr)
                return fail(ImportError::kUnsupported, "a size that is no integer");
            numbers.push_back(*number);
            values.emplace_back();
        } else {
            numbers.push_back(0);
            values.emplace_back(std::get<ValueId>(one));
            fixed = false;
        }
    }
    if (fixed) return Argument(Constant{std::move(numbers)});
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i]) continue;
        ESPER_TRY(values[i], writer.integer(numbers[i]));
    }
    return Argument(std::move(values));
}

Result<Argument> tensor_list(const Writer& writer, const json& items) {
    ValueList list;
    for (const auto& item : items) {
        if (item.contains("as_none")) {
            list.emplace_back();
            continue;
        }
        const auto& tensor = item.contains("as_tensor") ? item.at("as_tensor") : item;
        ESPER_TRY(const auto one, named(writer, tensor.at("name")));
        const auto* id = std::get_if<ValueId>(&one);
        list.push_back(id == nullptr ? std::nullopt : std::optional(*id));
    }
    return Argument(std::move(list));
}

Result<Argument> memory_format(std::int64_t number) {
    switch (number) {
        case 1:
            return Argument(Constant{MemoryFormat::kContiguous});
        case 2:
            return Argument(Constant{MemoryFormat::kChannelsLast});
        case 4:
            return Argument(Constant{MemoryFormat::kPreserve});
        default:
            return fail(
                ImportError::kUnsupported,
                fmt::format("memory format number {} (channels-last in 3-d, or unknown)", number));
    }
}

Argument integers(const json& items, const c10::Type& type) {
    if (is_reals(type)) return Constant{items.get<std::vector<double>>()};
    return Constant{items.get<std::vector<std::int64_t>>()};
}

Argument reals(const json& items) {
    std::vector<double> list;
    for (const auto& item : items) list.push_back(read_double(item));
    return Constant{std::move(list)};
}

Argument integer(std::int64_t value, const c10::Type& type, std::int32_t list_length) {
    const auto length = static_cast<std::size_t>(std::max(list_length, 1));
    if (is_integers(type)) return Constant{std::vector<std::int64_t>(length, value)};
    return Constant{value};
}

}  // namespace

Result<Argument> read_argument(Writer& writer, const json& argument, const c10::Argument* wanted) {
    const auto& type = wanted != nullptr ? bare(*wanted->type()) : *c10::AnyType::get();
    const auto list_length = wanted != nullptr ? wanted->N().value_or(0) : 0;
    if (!argument.is_object() || argument.size() != 1)
        return fail(GraphError::kMalformed, "an argument must be one of the schema's as_… forms");
    const std::string kind = argument.begin().key();
    const auto& value = argument.begin().value();
    if (kind == "as_none") return Argument(Constant{});
    if (kind == "as_tensor") return named(writer, value.at("name"));
    if (kind == "as_tensors" || kind == "as_optional_tensors") return tensor_list(writer, value);
    if (kind == "as_optional_tensor") {
        if (value.contains("as_none")) return Argument(Constant{});
        return named(writer, value.at("as_tensor").at("name"));
    }
    if (kind == "as_int") return integer(value.get<std::int64_t>(), type, list_length);
    if (kind == "as_ints") return integers(value, type);
    if (kind == "as_float") return Argument(Constant{read_double(value)});
    if (kind == "as_floats") return reals(value);
    if (kind == "as_bool") return Argument(Constant{value.get<bool>()});
    if (kind == "as_bools") return Argument(Constant{value.get<std::vector<bool>>()});
    if (kind == "as_string") return Argument(Constant{value.get<std::string>()});
    if (kind == "as_sym_int" || kind == "as_sym_float") return size_or_number(writer, value);
    if (kind == "as_sym_ints") return size_list(writer, value);
    if (kind == "as_scalar_type") {
        ESPER_TRY(const auto dtype, read_dtype(value.get<std::int64_t>()));
        return Argument(Constant{dtype});
    }
    if (kind == "as_memory_format") return memory_format(value.get<std::int64_t>());
    // Layout 7 is "strided", which is also the meaning of an absent argument.
    if (kind == "as_layout" && value.get<std::int64_t>() == 7) return Argument(Constant{});
    if (kind == "as_device") return Argument(Constant{});
    return fail(ImportError::kUnsupported, "an argument of the form '" +
                                               printable(kind, kLongestName) +
                                               "' has no place in a Program");
}

}  // namespace esper::graph::importing
