#pragma once
// core: hosts as Programs, and the wrapper that finds the places where seeds may sit.

#include "esper/base/error.h"

namespace esper::core {

#define ESPER_CORE_ERRORS(X)                                                    \
    X(kUnknownHost, kUsage) /* no host of that kind */                          \
    X(kBadHostSpec, kUsage) /* sizes that do not make a network of this kind */ \
    X(kNoAnchor, kUsage)    /* the anchor globs and kinds select nothing */     \
    X(kBadWrap, kUsage)     /* more seeds per anchor than features to share */
ESPER_DEFINE_ERRORS(CoreError, "core", ESPER_CORE_ERRORS)

}  // namespace esper::core
