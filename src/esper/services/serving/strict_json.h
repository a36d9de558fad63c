#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace esper::serving {

/// A JSON object (RFC 8259) in which no object has a name twice, at any depth, and that is nested
/// at most 16 deep. Readers differ in which of two equal names they take, so a text that is checked
/// by one and used by another must not have them. Nothing for all else.
std::optional<nlohmann::json> strict_json_object(std::string_view text);

}  // namespace esper::serving
