#pragma once

#include <string>

#include "esper/base/error.h"

namespace esper::urza {

/// Refuses an address ("" as open_library has it) that names a folder in which no library lies, so
/// that open_library would make one. Error: FileError's kNotFound.
Status refuse_missing(const std::string& address);

}  // namespace esper::urza
