#include <fmt/format.h>

#include "esper/utils/http_client.h"

namespace esper::utils {

HttpKind HttpResponse::kind() const {
    switch (status / 100) {
        case 2:
            return HttpKind::kSuccess;
        case 4:
            return HttpKind::kClientError;
        case 5:
            return HttpKind::kServerError;
        default:
            return HttpKind::kOther;
    }
}

std::optional<std::string_view> HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return std::nullopt;
}

Result<HttpResponse> require_success(Result<HttpResponse> response) {
    if (!response || response->ok()) return response;
    HttpError code = HttpError::kOtherStatus;
    if (response->kind() == HttpKind::kClientError) code = HttpError::kClientStatus;
    if (response->kind() == HttpKind::kServerError) code = HttpError::kServerStatus;
    return fail(code, fmt::format("expected a 2xx answer, got {}: {}", response->status,
                                  response->body.substr(0, 300)));
}

double HttpStatistics::error_rate() const {
    return request_count == 0
               ? 0
               : static_cast<double>(error_count) / static_cast<double>(request_count);
}

double HttpStatistics::avg_request_ms() const {
    return request_count == 0 ? 0
                              : 1000 * total_request_seconds / static_cast<double>(request_count);
}

}  // namespace esper::utils
