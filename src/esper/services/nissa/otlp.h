#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace esper::nissa {

/// A stretch of time in which one part of Esper did something.
struct Span {
    std::string service;
    std::string name;
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;
    nlohmann::json attributes = nlohmann::json::object();
    std::string fault = {};  ///< what went wrong, empty where nothing did
    std::size_t parent = 0;  ///< place in the list of spans; the first one's is its own
};

/// Spans of one trace, the root first. An id of a span follows from the trace's and its place.
struct Trace {
    std::string id;  ///< 32 hexadecimal digits
    std::vector<Span> spans;

    std::size_t add(Span span) {
        spans.push_back(std::move(span));
        return spans.size() - 1;
    }
};

/// An OTLP TracesData (also an ExportTraceServiceRequest), spans by service. Ids are hexadecimal
/// and times are texts, as OTLP/JSON wants them. `resource` are attributes of every service.
nlohmann::json otlp_of(const std::vector<Trace>& traces, const nlohmann::json& resource);

}  // namespace esper::nissa
