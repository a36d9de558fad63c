#pragma once

#include "esper/base/error.h"

namespace esper::graph {

#define ESPER_IMPORT_ERRORS(X) X(kUnsupported, kData) /* a Program cannot represent this model */
ESPER_DEFINE_ERRORS(ImportError, "import", ESPER_IMPORT_ERRORS)

}  // namespace esper::graph
