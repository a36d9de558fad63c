#include "esper/services/records/fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::records {

using nlohmann::json;

namespace {

constexpr int kDeepest = 64;

// json::dump() calls itself for each level, so a line of brackets could exhaust the stack later.
bool is_too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kDeepest) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

bool fits(const json& value, FieldType type) {
    switch (type) {
        case FieldType::kText:
            return value.is_string();
        case FieldType::kInteger:
            return value.is_number_integer();
        case FieldType::kNumber:
            return value.is_number() || value.is_null();
        case FieldType::kBoolean:
            return value.is_boolean();
        case FieldType::kObject:
            return value.is_object();
        case FieldType::kList:
            return value.is_array();
    }
    return false;
}

std::string_view name_of(FieldType type) {
    switch (type) {
        case FieldType::kText:
            return "a string";
        case FieldType::kInteger:
            return "an integer";
        case FieldType::kNumber:
            return "a number or null";
        case FieldType::kBoolean:
            return "true or false";
        case FieldType::kObject:
            return "an object";
        case FieldType::kList:
            return "a list";
    }
    return "?";
}

}  // namespace

Result<json> parse_object(std::string_view text) {
    if (is_too_deep(text))
        return fail(RecordsError::kBadRecord,
                    fmt::format("brackets are nested deeper than {}", kDeepest));
    auto object = json::parse(text, nullptr, false);
    if (!object.is_object())
        return fail(RecordsError::kBadRecord, "expected one JSON object, got something else");
    return object;
}

Status check_fields(const json& object, std::span<const Field> fields) {
    for (const auto& field : fields) {
        const auto it = object.find(field.name);
        if (it == object.end()) {
            if (!field.required) continue;
            return fail(RecordsError::kBadRecord,
                        fmt::format("the field '{}' is missing", field.name));
        }
        if (!fits(*it, field.type))
            return fail(RecordsError::kBadRecord,
                        fmt::format("the field '{}' must be {}, not {}", field.name,
                                    name_of(field.type), it->type_name()));
    }
    return {};
}

std::string text_of(const json& object, std::string_view key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::int64_t integer_of(const json& object, std::string_view key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_number_integer() ? it->get<std::int64_t>() : 0;
}

std::optional<double> number_of(const json& object, std::string_view key) {
    const auto it = object.find(key);
    if (it == object.end() || !it->is_number()) return std::nullopt;
    return it->get<double>();
}

}  // namespace esper::records
