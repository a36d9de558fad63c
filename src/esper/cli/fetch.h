#pragma once

#include <string>

#include "esper/base/error.h"

namespace esper::cli {

/// Brings a data set into data/: downloads, checks its SHA-256 and unpacks. What is there already,
/// bundled or drawn is only said. Errors: kUnknownName, those of HTTP and files,
/// kChecksumMismatch.
Status fetch_data(const std::string& name);

}  // namespace esper::cli
