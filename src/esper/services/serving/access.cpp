#include "esper/services/serving/access.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "esper/base/ascii.h"

namespace esper::serving {

namespace {

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The name in `name:port`, `[::1]:port`; empty for what is neither.
std::string name_of(std::string_view host) {
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        if (end == std::string_view::npos) return "";
        const auto rest = host.substr(end + 1);
        if (!rest.empty() && (rest[0] != ':' || !is_digits(rest.substr(1)))) return "";
        return std::string(host.substr(1, end - 1));
    }
    const auto colon = host.find(':');
    if (colon != std::string_view::npos && !is_digits(host.substr(colon + 1))) return "";
    return std::string(host.substr(0, colon));
}

bool is_address(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

bool is_allowed(const std::string& name, const Access& access) {
    if (is_address(name) || same_name(name, "localhost")) return true;
    constexpr std::string_view kLocal = ".localhost";
    if (name.size() > kLocal.size() &&
        same_name(std::string_view(name).substr(name.size() - kLocal.size()), kLocal))
        return true;
    return std::ranges::any_of(access.names,
                               [&](const auto& known) { return same_name(name, known); });
}

}  // namespace

std::optional<Response> refuse_foreign(const Request& request, const Access& access) {
    const auto hosts = std::ranges::count_if(
        request.headers, [](const auto& header) { return same_name(header.first, "host"); });
    const std::string host(request.header("host"));
    if (hosts != 1 || host.empty())
        return problem(400, "expected exactly one header Host, got " + std::to_string(hosts));
    if (!is_allowed(name_of(host), access))
        return problem(403, fmt::format("this server is not '{}': a page of that name may not read "
                                        "it. Ask it under its address, or start it with that name",
                                        host));
    const auto origin = request.header("origin");
    if (!origin.empty() && !same_name(origin, "http://" + host) &&
        !same_name(origin, "https://" + host))
        return problem(403, fmt::format("a page of {} may not ask this server", origin));
    const auto site = request.header("sec-fetch-site");
    if (site == "cross-site" && request.header("sec-fetch-mode") != "navigate")
        return problem(403, "a page of another site may not ask this server");
    return std::nullopt;
}

void add_safety_headers(Response& response) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kHeaders = {
        {{"Cache-Control", "no-store"},
         {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
         {"Cross-Origin-Opener-Policy", "same-origin"},
         {"Cross-Origin-Resource-Policy", "same-origin"},
         {"Referrer-Policy", "no-referrer"},
         {"X-Content-Type-Options", "nosniff"}}};
    for (const auto& [name, value] : kHeaders)
        if (field_of(response.headers, name).empty()) response.headers.emplace_back(name, value);
}

}  // namespace esper::serving
