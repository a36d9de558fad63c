#pragma once

#include <optional>
#include <string>
#include <vector>

#include "esper/services/serving/response.h"

namespace esper::serving {

/// The names under which a server may be asked. An address in digits, `localhost` and a name that
/// ends in `.localhost` always may: no name server can make them point here. Any other name must be
/// listed, because a page of a stranger can have a name of its own that leads to this machine (DNS
/// rebinding) and could then read all that the server says.
struct Access {
    std::vector<std::string> names = {};
};

/// The problem (403, or 400 without a Host) of a request that a foreign page sent: one whose Host
/// is not allowed, whose Origin is not the server itself, or that the browser calls cross-site and
/// that is no visit of the page. Nothing for all others.
std::optional<Response> refuse_foreign(const Request& request, const Access& access);

/// The headers that every response has: nothing is cached or guessed at, no foreign page may embed
/// or read it, and no script runs in it unless its own policy allows one. Those that are set stay.
void add_safety_headers(Response& response);

}  // namespace esper::serving
