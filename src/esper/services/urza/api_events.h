#pragma once

#include "esper/services/urza/api.h"

namespace esper::urza {

/// The library's events: a page, or a stream that goes on, where the client asks for
/// text/event-stream.
std::vector<Operation> event_operations(Library& library);

}  // namespace esper::urza
