#include <nlohmann/json.hpp>

#include "esper/base/text.h"
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

/// What no address may have stands in no parameter: control characters.
json text_schema() { return {{"type", "string"}, {"pattern", "^[^\\u0000-\\u001f\\u007f]*$"}}; }
/// Nor is `.` or `..` a segment of a path.
json segment_schema() {
    return {{"type", "string"},
            {"pattern", "^[^\\u0000-\\u001f\\u007f.][^\\u0000-\\u001f\\u007f]*$"}};
}

json parameters_of(const Operation& operation) {
    json parameters = json::array();
    const auto add = [&](const std::string& name, const char* in, json schema,
                         bool is_required = false) {
        parameters.push_back({{"name", name},
                              {"in", in},
                              {"required", is_required || std::string_view(in) == "path"},
                              {"schema", std::move(schema)}});
    };
    for (const auto& segment : split(operation.pattern, '/'))
        if (segment.starts_with('{'))
            add(segment.substr(1, segment.size() - 2), "path", segment_schema());
    if (operation.page) {
        const json number{{"type", "integer"}, {"minimum", 0}, {"maximum", kLastLedgerEntry}};
        const bool is_events = operation.pattern.ends_with("/events");
        const bool numbers = is_events || operation.pattern.ends_with("/ledger") ||
                             operation.pattern.ends_with("/reports");
        add("after", "query", numbers ? number : text_schema());
        if (is_events) add(kLastEventId, "header", number);
        add("limit", "query", {{"type", "integer"}, {"minimum", 0}, {"maximum", kMostItems}});
    }
    if (operation.pattern.ends_with("/deprecate")) add("reason", "query", text_schema());
    if (operation.pattern.ends_with("/reports")) add("blueprint", "query", text_schema());
    if (operation.pattern.ends_with("/collect"))
        add("keep", "query", {{"type", "integer"}, {"minimum", 0}, {"maximum", 1'000'000}});
    if (operation.pattern == "/api/v1/work" && operation.page)
        add("state", "query",
            {{"type", "string"}, {"enum", {"waiting", "leased", "done", "dead"}}});
    if (operation.pattern.ends_with("/status")) {
        json statuses = json::array();
        for (const auto& entry : contracts::enum_entries<contracts::BlueprintStatus>())
            statuses.push_back(entry.text);
        add("to", "query", {{"type", "string"}, {"enum", statuses}}, true);
        add("as", "query",
            {{"type", "string"},
             {"enum",
              {contracts::to_text(contracts::ComponentType::kTezzeret),
               contracts::to_text(contracts::ComponentType::kUrza)}}});
    }
    return parameters;
}

json problem_answer() {
    return {
        {"description", "what went wrong (RFC 9457)"},
        {"content",
         {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
}

/// What is answered to anybody.
void add_open(json& paths, const char* path, const char* what, const char* type) {
    const json done{{"description", "done"}, {"content", {{type, json::object()}}}};
    paths[path]["get"] = {{"summary", what},
                          {"security", json::array()},
                          {"responses", {{"200", done}, {"default", problem_answer()}}}};
}

}  // namespace

std::vector<std::string> query_names(const Operation& operation) {
    std::vector<std::string> names;
    for (const auto& parameter : parameters_of(operation))
        if (parameter["in"] == "query") names.push_back(parameter["name"]);
    return names;
}

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
                         {"default", problem_answer()}}}};
        if (operation.takes != nullptr)
            described["requestBody"] = {
                {"required", true}, {"content", json_body(reference(*operation.takes, schemas))}};
        std::string method = operation.method == "GET" ? "get" : "post";
        paths[operation.pattern][method] = std::move(described);
    }
    add_open(paths, "/openapi.json", "This description", "application/json");
    add_open(paths, "/health", "That the server is up", "application/json");
    add_open(paths, "/ready", "What it waits for; 503 while it waits", "application/json");
    add_open(paths, "/metrics", "Figures for Prometheus", "text/plain");
    return {{"openapi", "3.1.0"},
            {"info", {{"title", "Esper's library"}, {"version", ESPER_VERSION}}},
            {"paths", paths},
            {"components",
             {{"schemas", schemas},
              {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

}  // namespace esper::urza
