#include "esper/services/nissa/otlp.h"

#include <map>

#include "esper/base/hash.h"
#include "esper/version.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr int kInternal = 1;  // SpanKind
constexpr int kOk = 1;        // StatusCode
constexpr int kError = 2;
constexpr std::size_t kSpanDigits = 16;

json value_of(const json& value) {
    if (value.is_boolean()) return {{"boolValue", value}};
    if (value.is_number_integer()) return {{"intValue", std::to_string(value.get<std::int64_t>())}};
    if (value.is_number()) return {{"doubleValue", value}};
    if (value.is_string()) return {{"stringValue", value}};
    return {{"stringValue", value.dump(-1, ' ', false, json::error_handler_t::replace)}};
}

json attributes_of(const json& object) {
    json list = json::array();
    for (const auto& [key, value] : object.items())
        if (!value.is_null()) list.push_back({{"key", key}, {"value", value_of(value)}});
    return list;
}

std::string span_id(const Trace& trace, std::size_t place) {
    return sha256(trace.id + "/" + std::to_string(place)).hex().substr(0, kSpanDigits);
}

json span_of(const Trace& trace, std::size_t place) {
    const auto& span = trace.spans[place];
    json told{{"traceId", trace.id},
              {"spanId", span_id(trace, place)},
              {"name", span.name},
              {"kind", kInternal},
              {"startTimeUnixNano", std::to_string(span.begin_ns)},
              {"endTimeUnixNano", std::to_string(span.end_ns)},
              {"attributes", attributes_of(span.attributes)},
              {"status", {{"code", span.fault.empty() ? kOk : kError}}}};
    if (place > 0) told["parentSpanId"] = span_id(trace, span.parent);
    if (!span.fault.empty()) told["status"]["message"] = span.fault;
    return told;
}

}  // namespace

json otlp_of(const std::vector<Trace>& traces, const json& resource) {
    std::map<std::string, json> services;
    for (const auto& trace : traces)
        for (std::size_t place = 0; place < trace.spans.size(); ++place)
            services[trace.spans[place].service].push_back(span_of(trace, place));
    json all = json::array();
    for (auto& [name, spans] : services) {
        auto attributes = resource;
        attributes["service.name"] = name;
        attributes["service.namespace"] = "esper";
        attributes["service.version"] = ESPER_VERSION;
        all.push_back({{"resource", {{"attributes", attributes_of(attributes)}}},
                       {"scopeSpans",
                        {{{"scope", {{"name", "esper"}, {"version", ESPER_VERSION}}},
                          {"spans", std::move(spans)}}}}});
    }
    return {{"resourceSpans", std::move(all)}};
}

}  // namespace esper::nissa
