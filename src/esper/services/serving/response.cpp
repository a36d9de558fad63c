#include "esper/services/serving/response.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace esper::serving {

using nlohmann::json;

namespace {

constexpr std::array<std::pair<int, std::string_view>, 27> kReasons = {
    {{200, "OK"},
     {201, "Created"},
     {202, "Accepted"},
     {204, "No Content"},
     {304, "Not Modified"},
     {400, "Bad Request"},
     {401, "Unauthorized"},
     {403, "Forbidden"},
     {404, "Not Found"},
     {405, "Method Not Allowed"},
     {406, "Not Acceptable"},
     {408, "Request Timeout"},
     {409, "Conflict"},
     {410, "Gone"},
     {411, "Length Required"},
     {412, "Precondition Failed"},
     {413, "Content Too Large"},
     {414, "URI Too Long"},
     {415, "Unsupported Media Type"},
     {422, "Unprocessable Content"},
     {428, "Precondition Required"},
     {429, "Too Many Requests"},
     {431, "Request Header Fields Too Large"},
     {500, "Internal Server Error"},
     {501, "Not Implemented"},
     {503, "Service Unavailable"},
     {505, "HTTP Version Not Supported"}}};

int status_of(const Error& error) {
    switch (error.error_class()) {
        case ErrorClass::kUsage:
            return error.is(ServingError::kTargetTooLong) ? 414 : 400;
        case ErrorClass::kData:
            return 422;
        case ErrorClass::kVerification:
            return 409;
        case ErrorClass::kRuntime:
            return 500;
    }
    return 500;
}

}  // namespace

std::string_view reason_of(int status) {
    for (const auto& [known, reason] : kReasons)
        if (known == status) return reason;
    return "Unknown";
}

Response content(std::string type, std::string body, int status) {
    Response response;
    response.status = status;
    response.content_type = std::move(type);
    response.body = std::make_shared<const std::string>(std::move(body));
    return response;
}

Response json_content(const json& value, int status) {
    return content("application/json", value.dump(-1, ' ', false, json::error_handler_t::replace),
                   status);
}

Response event_stream(std::shared_ptr<EventSource> source, std::function<bool()> is_over) {
    Response response;
    response.content_type = "text/event-stream";
    // Proxies that collect what they pass on would hold the events back.
    response.headers = {{"X-Accel-Buffering", "no"}};
    response.events = std::move(source);
    response.is_over = std::move(is_over);
    return response;
}

Response problem(int status, const std::string& detail, const std::string& error) {
    json body{{"type", "about:blank"},
              {"title", reason_of(status)},
              {"status", status},
              {"detail", detail}};
    if (!error.empty()) body["error"] = error;
    auto response = json_content(body, status);
    response.content_type = "application/problem+json";
    return response;
}

Response problem(const Error& error) { return problem(status_of(error), error); }

Response problem(int status, const Error& error) {
    return problem(status, error.message(),
                   std::string(error.room()) + "." + std::string(error.name()));
}

}  // namespace esper::serving
