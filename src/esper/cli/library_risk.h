#pragma once

#include "esper/services/urza/library.h"

namespace esper::cli {

/// Prints what kernels were predicted to do in runs against what they did.
Status print_risk(urza::Library& library, bool as_json);

}  // namespace esper::cli
