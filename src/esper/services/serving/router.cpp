#include "esper/services/serving/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "esper/base/text.h"

namespace esper::serving {

namespace {

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool fits(const Route& route, const std::vector<std::string>& path) {
    return std::ranges::equal(route.segments, path, [](const auto& wanted, const auto& given) {
        return is_parameter(wanted) ? !given.empty() : wanted == given;
    });
}

Fields parameters_of(const Route& route, const std::vector<std::string>& path) {
    Fields parameters;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const auto& name = route.segments[i];
        if (is_parameter(name)) parameters.emplace_back(name.substr(1, name.size() - 2), path[i]);
    }
    return parameters;
}

bool takes(const Route& route, std::string_view method) {
    return route.method == method || (route.method == "GET" && method == "HEAD");
}

std::ptrdiff_t literals_of(const Route& route) {
    return std::ranges::count_if(route.segments, [](const auto& s) { return !is_parameter(s); });
}

Response failed(const Request& request, const std::exception& error) {
    return problem(500, fmt::format("{} failed: {}", request.path, error.what()));
}

}  // namespace

void Router::add(std::string method, std::string pattern, Handler handler, std::size_t most_body,
                 Admission admission) {
    Route route{std::move(method), std::move(pattern), most_body, std::move(handler),
                std::move(admission)};
    route.segments = split(std::string_view(route.pattern).substr(1), '/');
    routes_.push_back(std::move(route));
}

std::vector<const Route*> Router::at(const Request& request) const {
    std::vector<const Route*> found;
    for (const auto& route : routes_) {
        if (!fits(route, request.segments)) continue;
        const auto better = found.empty() ? 1 : literals_of(route) - literals_of(*found.front());
        if (better > 0) found.clear();
        if (better >= 0) found.push_back(&route);
    }
    return found;
}

const Route* Router::find(const Request& request) const {
    for (const auto* route : at(request))
        if (takes(*route, request.method)) return route;
    return nullptr;
}

std::optional<Response> Router::refuse(const Request& head) const {
    const auto* route = find(head);
    if (route == nullptr || !route->admission) return std::nullopt;
    try {
        return route->admission(head);
    } catch (const std::exception& error) {
        return failed(head, error);
    }
}

std::size_t Router::most_body(const Request& request) const {
    const auto* route = find(request);
    return route == nullptr ? 0 : route->most_body;
}

std::string Router::allowed(const Request& request) const {
    std::vector<std::string> methods;
    for (const auto* route : at(request)) {
        methods.push_back(route->method);
        if (route->method == "GET") methods.emplace_back("HEAD");
    }
    if (!methods.empty()) methods.emplace_back("OPTIONS");
    std::ranges::sort(methods);
    methods.erase(std::ranges::unique(methods).begin(), methods.end());
    return join(methods, ", ");
}

Response Router::answer(Request request) const {
    const auto* route = find(request);
    if (route == nullptr) {
        const auto methods = allowed(request);
        if (methods.empty()) return problem(404, "there is nothing at " + request.path);
        auto response = request.method == "OPTIONS"
                            ? content("", "", 204)
                            : problem(405, fmt::format("{} takes {}, not {}", request.path, methods,
                                                       request.method));
        response.headers.emplace_back("Allow", methods);
        return response;
    }
    if (request.body.size() > route->most_body)
        return problem(413, fmt::format("{} takes a body of at most {} bytes", request.path,
                                        route->most_body));
    request.parameters = parameters_of(*route, request.segments);
    try {
        return route->handler(request);
    } catch (const std::exception& error) {
        return failed(request, error);
    }
}

}  // namespace esper::serving
