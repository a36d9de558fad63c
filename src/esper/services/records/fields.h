#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// The type of a field of a JSON object.
enum class FieldType {
    kText,
    kInteger,
    kNumber,  ///< or null for a number that was not measured or is not finite
    kBoolean,
    kObject,
    kList,
};

struct Field {
    std::string_view name;
    FieldType type = FieldType::kText;
    bool required = true;
};

/// Parses one JSON object. Errors: kBadRecord for anything else, and for brackets nested deeper
/// than 64, which no run writes.
Result<nlohmann::json> parse_object(std::string_view text);

/// Errors: kBadRecord naming the first field that is missing or of another type. Fields that are
/// not declared are left alone: a later version may have added them.
Status check_fields(const nlohmann::json& object, std::span<const Field> fields);

// Reading a field never fails: what is absent or of another type is empty, 0 or nothing.
std::string text_of(const nlohmann::json& object, std::string_view key);
std::int64_t integer_of(const nlohmann::json& object, std::string_view key);
std::optional<double> number_of(const nlohmann::json& object, std::string_view key);

}  // namespace esper::records
