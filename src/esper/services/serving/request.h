#pragma once
// serving: what a process needs to answer HTTP: requests, routes, problems, event streams and the
// server. A handler is a function from a Request to a Response and sees no socket.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/services/serving/serving_errors.h"

namespace esper::serving {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The value of the first field of that name, whatever its case; empty where there is none.
std::string_view field_of(const Fields& fields, std::string_view name);

/// What a client asks. Everything in it is a stranger's.
struct Request {
    std::string method = "GET";
    std::string path = "/";             ///< as it was sent, without the query
    std::vector<std::string> segments;  ///< of the path, decoded: valid UTF-8, never `.` or `..`
    Fields query;                       ///< decoded, in order
    Fields headers;
    std::string body;
    Fields parameters;  ///< what stood in the path for the `{name}`s of the route

    std::string_view header(std::string_view name) const { return field_of(headers, name); }
    std::string_view parameter(std::string_view name) const { return field_of(parameters, name); }
    /// Nothing where the query has no such name.
    std::optional<std::string_view> asked(std::string_view name) const;
};

/// A request without headers and body from its method and target, e.g. `/runs/a%20b?points=100`.
/// A target with a scheme and a host (as proxies send it) is taken without them. Errors:
/// kBadTarget for what is no such target: a wrong escape, a control character, text that is not
/// UTF-8, or a segment `.` or `..`; kTargetTooLong above 8 KiB.
Result<Request> parse_target(std::string_view method, std::string_view target);

}  // namespace esper::serving
