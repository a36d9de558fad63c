#pragma once

#include "esper/base/error.h"

namespace esper::serving {

#define ESPER_SERVING_ERRORS(X)                                                         \
    X(kBadTarget, kUsage)     /* a request's target that is no path */                  \
    X(kTargetTooLong, kUsage) /* longer than any address that this program gives out */ \
    X(kBadAddress, kUsage)    /* an address of a server that is none */                 \
    X(kPortInUse, kRuntime)   /* the address exists, but is taken or not allowed */
ESPER_DEFINE_ERRORS(ServingError, "serving", ESPER_SERVING_ERRORS)

}  // namespace esper::serving
