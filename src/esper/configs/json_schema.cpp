#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/configs/numbers.h"
#include "esper/configs/published.h"
#include "esper/configs/schema.h"

namespace esper::configs {
namespace {

using Json = nlohmann::ordered_json;

/// Whole bounds as whole numbers: `1`, not `1.0`.
Json bound(double value) {
    if (value == std::floor(value) && std::fabs(value) < 1e15) return std::llround(value);
    return value;
}

void add_range(Json& json, const Key& key) {
    const auto [type_low, type_high] = key.type->range();
    const Rule& rule = key.rule;
    if (std::isfinite(rule.low)) {
        json[rule.low_open ? "exclusiveMinimum" : "minimum"] = bound(rule.low);
    } else if (type_low == 0) {
        json["minimum"] = 0;
    }
    if (std::isfinite(rule.high)) {
        json[rule.high_open ? "exclusiveMaximum" : "maximum"] = bound(rule.high);
    } else if (std::fabs(type_high) < 1e15) {
        json["maximum"] = bound(type_high);
    }
}

const char* duration_pattern(TimeKind kind) {
    switch (kind) {
        case TimeKind::kProgress:
            return "^[0-9]+(\\.[0-9]+)?(ep|ba|%)$";
        case TimeKind::kEpochs:
            return "^[0-9]+(\\.0+)?ep$";
        case TimeKind::kClock:
            return "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$";
        case TimeKind::kAny:
            break;
    }
    return "^[0-9]+(\\.[0-9]+)?(ep|ba|%|ms|s|m|h|d)$";
}

void add_form(Json& json, TextForm form) {
    json["type"] = "string";
    switch (form) {
        case TextForm::kNotEmpty:
            json["minLength"] = 1;
            break;
        case TextForm::kFileName:
            json["pattern"] = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$";
            json["maxLength"] = 100;
            break;
        case TextForm::kGlob:
            json["pattern"] = "^[A-Za-z0-9_.*?-]+$";
            break;
        case TextForm::kUrl:
            json["pattern"] = "^$|^[A-Za-z0-9_.+-]+://([^/?# ]*@)?[^/?#:@ ][^ ]*$";
            break;
        case TextForm::kBudget:
            json["type"] = {"string", "number"};
            json["pattern"] =
                "^$|^[0-9]+(\\.[0-9]+)?([eE][+]?[0-9]+)?$|^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$";
            json["exclusiveMinimum"] = 0;
            break;
        case TextForm::kParameterGroup:
            json["pattern"] = "^ *[A-Za-z0-9_.*?-]+( +(rate|weight_decay)=[0-9.eE+-]+)+ *$";
            break;
        case TextForm::kImageSize:
            json["type"] = {"string", "integer"};
            json["pattern"] = "^[0-9]+(@[0-9]+(\\.[0-9]+)?%)?$";
            break;
        case TextForm::kAny:
            break;
    }
}

Json number_default(const std::string& text) {
    const Json value = Json::parse(text);
    return value.is_number_float() ? bound(value.get<double>()) : value;
}

Json value_schema(const Key& key, const EsperConfig& defaults, std::size_t index) {
    const std::string written =
        key.type->write(Schema::instance().locate(defaults, index), MaskSecrets::kNo);
    Json json;
    json["description"] = key.meaning;
    switch (key.type->kind()) {
        case ValueKind::kBool:
            json["type"] = "boolean";
            json["default"] = written == "true";
            break;
        case ValueKind::kInteger:
            json["type"] = "integer";
            add_range(json, key);
            json["default"] = number_default(written);
            break;
        case ValueKind::kNumber:
            json["type"] = "number";
            add_range(json, key);
            json["default"] = number_default(written);
            break;
        case ValueKind::kText:
            add_form(json, key.rule.text);
            json["default"] =
                *static_cast<const std::string*>(Schema::instance().locate(defaults, index));
            break;
        case ValueKind::kSecret:
            json["type"] = "string";
            json["writeOnly"] = true;
            break;
        case ValueKind::kChoice:
            json["enum"] = key.type->choices();
            json["default"] = written;
            break;
        case ValueKind::kDuration:
            json["type"] = "string";
            json["pattern"] = duration_pattern(key.rule.time);
            json["default"] = written;
            break;
        case ValueKind::kNames:
            json["type"] = "array";
            add_form(json["items"], key.rule.text);
            json["default"] =
                *static_cast<const Names*>(Schema::instance().locate(defaults, index));
            break;
        case ValueKind::kPair:
            json["type"] = "array";
            json["items"]["type"] = "number";
            add_range(json["items"], key);
            json["minItems"] = 2;
            json["maxItems"] = 2;
            json["default"] = Json::parse(written);
            break;
        case ValueKind::kClassWeights:
            json["oneOf"] = {{{"enum", Json::array({"none", "balanced"})}},
                             {{"type", "array"},
                              {"items", {{"type", "number"}, {"minimum", 0}}},
                              {"minItems", 1}}};
            json["default"] = written;
            break;
    }
    return json;
}

Json section_schema(std::size_t index, const EsperConfig& defaults) {
    const Schema& schema = Schema::instance();
    Json json;
    if (index != Schema::kRoot) json["description"] = schema[index].meaning;
    json["type"] = {"object", "null"};
    json["additionalProperties"] = false;
    Json& properties = json["properties"];
    for (const std::size_t child : schema[index].children) {
        const Key& key = schema[child];
        properties[std::string(key.name)] =
            key.is_section() ? section_schema(child, defaults) : value_schema(key, defaults, child);
    }
    return json;
}

}  // namespace

std::string json_schema() {
    Json json;
    json["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    json["title"] = "Esper configuration";
    json.update(section_schema(Schema::kRoot, EsperConfig{}));
    return json.dump(2) + "\n";
}

}  // namespace esper::configs
