#include "esper/services/serving/bearer_token.h"

#include <algorithm>

#include "esper/base/ascii.h"

namespace esper::serving {

namespace {

bool is_same_name(std::string_view name, std::string_view lower_case) {
    return std::ranges::equal(name, lower_case, {}, lower);
}

}  // namespace

std::optional<std::string_view> bearer_token(const Request& request) {
    const auto is_credential = [](const auto& header) {
        return is_same_name(header.first, "authorization");
    };
    // Of two, a proxy before this server may have looked at the other one.
    if (std::ranges::count_if(request.headers, is_credential) != 1) return std::nullopt;
    const std::string_view header = std::ranges::find_if(request.headers, is_credential)->second;
    const auto end = header.find(' ');
    if (end == std::string_view::npos || !is_same_name(header.substr(0, end), "bearer"))
        return std::nullopt;
    const auto begin = header.find_first_not_of(' ', end);
    if (begin == std::string_view::npos) return std::nullopt;
    return header.substr(begin);
}

Response unauthorized(const std::string& why, const std::string& error) {
    auto response = problem(401, why, error);
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
}

}  // namespace esper::serving
