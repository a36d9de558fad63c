#include "esper/contracts/json_schema.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace esper::contracts {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_integer(double bound) {
    if (bound == std::floor(bound) && std::abs(bound) < 9e15) {
        return static_cast<std::int64_t>(bound);
    }
    return bound;
}

void add_bounds(Json& schema, const Rule& rule) {
    if (std::isfinite(rule.min)) schema["minimum"] = number_or_integer(rule.min);
    if (std::isfinite(rule.max)) schema["maximum"] = number_or_integer(rule.max);
}

void add_format(Json& schema, Format format) {
    switch (format) {
        case Format::kNone:
            break;
        case Format::kId:
            schema["pattern"] = "^[^\\u0000-\\u001f\\u007f]*$";
            break;
        case Format::kUuid:
            schema["format"] = "uuid";
            break;
        case Format::kSha256:
            schema["pattern"] = "^[0-9a-f]{64}$";
            break;
        case Format::kHex:
            schema["pattern"] = "^([0-9a-f]{2})*$";
            break;
        case Format::kUri:
            schema["format"] = "uri";
            break;
    }
}

class Generator {
  public:
    Json object(const RecordInfo& info, bool top) {
        Json schema = {{"title", info.name}, {"description", info.doc}, {"type", "object"}};
        Json properties = Json::object();
        Json required = Json::array();
        if (top) {
            properties["schema"] = {{"description", "Type and version of this text"},
                                    {"const", fmt::format("{}/{}", info.name, info.version)}};
        }
        for (const FieldInfo& field : info.fields) {
            Json property = value(*field.type, field.rule);
            if (!field.doc.empty()) property["description"] = field.doc;
            properties[std::string(field.name)] = std::move(property);
            if (field.rule.required) required.push_back(field.name);
        }
        schema["properties"] = std::move(properties);
        schema["required"] = std::move(required);
        schema["additionalProperties"] = false;
        return schema;
    }

    Json definitions = Json::object();

  private:
    Json value(const TypeInfo& type, const Rule& rule) {
        Json schema = Json::object();
        switch (type.kind) {
            case Kind::kBool:
                schema["type"] = "boolean";
                break;
            case Kind::kUnsigned:
            case Kind::kSigned:
                schema["type"] = "integer";
                if (type.kind == Kind::kUnsigned) schema["minimum"] = 0;
                add_bounds(schema, rule);
                break;
            case Kind::kFloat:
                schema["type"] = "number";
                add_bounds(schema, rule);
                break;
            case Kind::kText:
                schema["type"] = "string";
                if (rule.min_length > 0) schema["minLength"] = rule.min_length;
                if (rule.max_length != Rule{}.max_length) schema["maxLength"] = rule.max_length;
                add_format(schema, rule.format);
                break;
            case Kind::kTime:
                schema["type"] = "string";
                schema["format"] = "date-time";
                break;
            case Kind::kJson:
                schema["type"] = "object";
                break;
            case Kind::kEnum:
                schema["enum"] = Json::array();
                for (std::size_t i = 0; i < type.enumeration->count; ++i) {
                    schema["enum"].push_back(type.enumeration->text_at(i));
                }
                break;
            case Kind::kOptional:
                return or_null(value(*type.element, rule));
            case Kind::kList:
                schema["type"] = "array";
                schema["items"] = value(*type.element, rule);
                add_counts(schema, rule, "minItems", "maxItems");
                break;
            case Kind::kMap:
                schema["type"] = "object";
                schema["additionalProperties"] = value(*type.element, rule);
                add_counts(schema, rule, "minProperties", "maxProperties");
                break;
            case Kind::kRecord: {
                const RecordInfo& info = type.record();
                const std::string name(info.name);
                if (!definitions.contains(name)) {
                    Json definition = object(info, false);
                    definitions[name] = std::move(definition);
                }
                schema["$ref"] = "#/$defs/" + name;
                break;
            }
        }
        return schema;
    }

    /// The reader takes null for what is missing.
    static Json or_null(Json schema) {
        if (schema.contains("$ref")) return {{"anyOf", {schema, {{"type", "null"}}}}};
        if (schema.contains("enum"))
            schema["enum"].push_back(nullptr);
        else
            schema["type"] = {schema["type"], "null"};
        return schema;
    }

    static void add_counts(Json& schema, const Rule& rule, const char* low, const char* high) {
        if (rule.min_items > 0) schema[low] = rule.min_items;
        if (rule.max_items != Rule{}.max_items) schema[high] = rule.max_items;
    }
};

}  // namespace

std::string json_schema(const RecordInfo& info) {
    Generator generator;
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                   {"$id", fmt::format("esper/{}/{}", info.name, info.version)}};
    schema.update(generator.object(info, true));
    if (!generator.definitions.empty()) schema["$defs"] = generator.definitions;
    return schema.dump(2) + "\n";
}

}  // namespace esper::contracts
