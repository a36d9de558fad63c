#include "esper/services/serving/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace esper::serving {

std::optional<nlohmann::json> strict_json_object(std::string_view text) {
    using nlohmann::json;
    constexpr int kDeepest = 16;
    bool is_strict = text.find('\0') == std::string_view::npos;  // the parser would end there
    std::vector<std::set<std::string>> names;                    // of the objects that are open
    const auto look = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) names.emplace_back();
        if (event == json::parse_event_t::object_end) names.pop_back();
        if (event == json::parse_event_t::key)
            is_strict = names.back().insert(parsed.get<std::string>()).second && is_strict;
        is_strict = is_strict && depth <= kDeepest;
        return is_strict;
    };
    if (!is_strict) return std::nullopt;
    auto value = json::parse(text, look, false);
    if (!is_strict || !value.is_object()) return std::nullopt;
    return value;
}

}  // namespace esper::serving
