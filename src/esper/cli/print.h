#pragma once

#include <nlohmann/json_fwd.hpp>

#include "esper/base/error.h"

namespace esper::cli {

/// One JSON line on standard output.
void print_json_line(const nlohmann::json& line);

/// Prints the error and gives its exit code.
int report_error(const Error& error);

}  // namespace esper::cli
