#pragma once

#include <string>

#include "esper/base/error.h"

namespace esper::cli {

/// Downloads a data set into data/, checks its SHA-256 and unpacks it. Only prints a message for a
/// set that is there already, bundled or drawn. Errors: kUnknownName, kChecksumMismatch, those of
/// HTTP and files.
Status fetch_data(const std::string& name);

}  // namespace esper::cli
