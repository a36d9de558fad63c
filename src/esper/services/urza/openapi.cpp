#include <nlohmann/json.hpp>

#include "esper/contracts/json_schema.h"
#include "esper/services/urza/api.h"
#include "esper/version.h"

namespace esper::urza {
namespace {

using nlohmann::json;

/// Schemas name nested types `#/$defs/X`; in OpenAPI they lie under `#/components/schemas/X`.
void rename_references(json& value) {
    constexpr std::string_view kDefs = "#/$defs/";
    if (value.is_object()) {
        for (auto& [key, item] : value.items()) {
            if (key == "$ref" && item.is_string() && item.get<std::string>().starts_with(kDefs))
                item = "#/components/schemas/" + item.get<std::string>().substr(kDefs.size());
            else
                rename_references(item);
        }
    } else if (value.is_array()) {
        for (auto& item : value) rename_references(item);
    }
}

json reference(const contracts::RecordInfo& info, json& schemas) {
    const std::string name(info.name);
    if (!schemas.contains(name)) {
        json schema = json::parse(contracts::json_schema(info));
        json nested = schema.value("$defs", json::object());
        schema.erase("$defs");
        schema.erase("$schema");
        schema.erase("$id");
        rename_references(schema);
        schemas[name] = schema;
        for (auto& [key, item] : nested.items()) {
            rename_references(item);
            schemas[key] = item;
        }
    }
    return {{"$ref", "#/components/schemas/" + name}};
}

json json_body(json schema) { return {{"application/json", {{"schema", std::move(schema)}}}}; }

json answer_of(const Operation& operation, json& schemas) {
    if (operation.gives == nullptr && !operation.page)
        return operation.pattern.ends_with("/bundle")
                   ? json{{"application/octet-stream", json::object()}}
                   : json_body({{"type", "object"}});
    const json item = operation.gives == nullptr ? json{{"type", "object"}}
                                                 : reference(*operation.gives, schemas);
    if (!operation.page) return json_body(item);
    return json_body({{"type", "object"},
                      {"required", {"items", "next"}},
                      {"properties",
                       {{"items", {{"type", "array"}, {"items", item}}},
                        {"next", {{"type", {"string", "null"}}}}}}});
}

json parameters_of(const Operation& operation) {
    json parameters = json::array();
    const auto add = [&](const char* name, const char* in, json schema) {
        parameters.push_back({{"name", name},
                              {"in", in},
                              {"required", std::string_view(in) == "path"},
                              {"schema", std::move(schema)}});
    };
    if (operation.pattern.find("{id}") != std::string::npos)
        add("id", "path", {{"type", "string"}, {"minLength", 1}});
    if (operation.page) {
        const bool numbers = operation.pattern.ends_with("/ledger");
        add("after", "query",
            numbers ? json{{"type", "integer"}, {"minimum", 0}} : json{{"type", "string"}});
        add("limit", "query", {{"type", "integer"}, {"minimum", 0}, {"maximum", 1000}});
    }
    if (operation.pattern.ends_with("/deprecate")) add("reason", "query", {{"type", "string"}});
    return parameters;
}

}  // namespace

json openapi(const std::vector<Operation>& operations) {
    json schemas = json::object(), paths = json::object();
    schemas["Problem"] = {{"type", "object"},
                          {"required", {"type", "title", "status", "detail"}},
                          {"properties",
                           {{"type", {{"type", "string"}}},
                            {"title", {{"type", "string"}}},
                            {"status", {{"type", "integer"}}},
                            {"detail", {{"type", "string"}}},
                            {"error", {{"type", "string"}}}}}};
    for (const auto& operation : operations) {
        const bool creates = operation.method == "POST" && operation.pattern.ends_with("prints");
        json described{{"summary", operation.what},
                       {"description",
                        "Needs the role " + std::string(contracts::to_text(operation.least)) + "."},
                       {"parameters", parameters_of(operation)},
                       {"security", {{{"token", json::array()}}}},
                       {"responses",
                        {{creates ? "201" : "200",
                          {{"description", "done"}, {"content", answer_of(operation, schemas)}}},
                         {"default",
                          {{"description", "what went wrong (RFC 9457)"},
                           {"content",
                            {{"application/problem+json",
                              {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}}}}}};
        if (operation.takes != nullptr)
            described["requestBody"] = {
                {"required", true}, {"content", json_body(reference(*operation.takes, schemas))}};
        std::string method = operation.method == "GET" ? "get" : "post";
        paths[operation.pattern][method] = std::move(described);
    }
    return {{"openapi", "3.1.0"},
            {"info", {{"title", "Esper's library"}, {"version", ESPER_VERSION}}},
            {"paths", paths},
            {"components",
             {{"schemas", schemas},
              {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

}  // namespace esper::urza
