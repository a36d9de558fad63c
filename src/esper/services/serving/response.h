#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "esper/base/error.h"
#include "esper/services/serving/event_source.h"
#include "esper/services/serving/request.h"

namespace esper::serving {

/// What a client gets: a body, or a stream of events that goes on until either side ends it.
struct Response {
    int status = 200;
    std::string content_type;
    Fields headers;
    std::shared_ptr<const std::string> body;  ///< shared, so that a large page is not copied
    std::shared_ptr<EventSource> events;      ///< if set, `body` is not sent
    std::function<bool()> is_over;            ///< asked before each event; true ends the stream

    std::string_view text() const { return body ? std::string_view(*body) : ""; }
};

/// A response with this content.
Response content(std::string type, std::string body, int status = 200);
/// A response with JSON; text that is not UTF-8 is repaired.
Response json_content(const nlohmann::json& value, int status = 200);
/// Everything that `source` has from now on, as server-sent events, until `is_over`, if
/// there is one, says so; it is called on threads of the server.
Response event_stream(std::shared_ptr<EventSource> source, std::function<bool()> is_over = {});

/// What went wrong, as `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`,
/// and as `error` the value of an error enum, e.g. `serving.BadTarget`.
Response problem(int status, const std::string& detail, const std::string& error = "");
/// The same for an error: usage is 400, data 422, verification 409, what failed while running 500.
Response problem(const Error& error);
/// The same under another status.
Response problem(int status, const Error& error);

/// The words of a status, e.g. `Not Found`.
std::string_view reason_of(int status);

}  // namespace esper::serving
