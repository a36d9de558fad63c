#pragma once

#include "esper/base/error.h"

namespace esper::tezzeret {

#define ESPER_TEZZERET_ERRORS(X)                                                           \
    X(kUnsupported, kData)      /* the compiler has no rule for something in the branch */ \
    X(kCompileFailed, kRuntime) /* the compiler failed, crashed or ran out of its limits */
ESPER_DEFINE_ERRORS(TezzeretError, "tezzeret", ESPER_TEZZERET_ERRORS)

}  // namespace esper::tezzeret
