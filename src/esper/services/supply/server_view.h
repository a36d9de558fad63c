#pragma once

#include "esper/services/supply/library_view.h"

namespace esper::supply {

/// The library behind a server, as a thread of its own reads it. A server that is gone or slow, or
/// that lies, delays that thread and nothing else. Errors: those of urza::RemoteLibrary::open.
Result<std::unique_ptr<LibraryView>> view_of_server(const std::string& url);

}  // namespace esper::supply
