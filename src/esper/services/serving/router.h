#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/serving/response.h"

namespace esper::serving {

/// Answers one request. Is called from several threads at a time.
using Handler = std::function<Response(const Request&)>;

/// The response to a request that is refused for what its head says.
using Admission = std::function<std::optional<Response>(const Request&)>;

struct Route {
    std::string method;
    std::string pattern;        ///< e.g. `/api/v1/runs/{run}/series`
    std::size_t most_body = 0;  ///< bytes that a request's body may have
    Handler handler = {};
    Admission admission = {};
    std::vector<std::string> segments = {};  ///< of the pattern; add() fills them in
};

/// Finds the handler of a request.
class Router {
  public:
    /// A `{name}` in the pattern stands for one segment of the path, which the handler finds among
    /// the request's parameters. A route for GET also answers HEAD. Where two patterns fit a path,
    /// it belongs to the one with fewer `{name}`s, for every method.
    /// `admission` is asked before a body is read, so that strangers cannot make the server hold
    /// one; the handler has to ask again.
    void add(std::string method, std::string pattern, Handler handler, std::size_t most_body = 0,
             Admission admission = {});

    /// The handler's response, or a problem: 404 for a path that no route has, 405 with `Allow`
    /// for another method, 413 for a body that is too long, 500 where the handler throws.
    Response answer(Request request) const;
    /// Nothing where the body of a request with this head may be read.
    std::optional<Response> refuse(const Request& head) const;
    /// The longest body that answer() would take.
    std::size_t most_body(const Request& request) const;

    const std::vector<Route>& routes() const { return routes_; }

  private:
    std::vector<const Route*> at(const Request& request) const;
    const Route* find(const Request& request) const;
    std::string allowed(const Request& request) const;
    std::vector<Route> routes_;
};

}  // namespace esper::serving
