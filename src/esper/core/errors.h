#pragma once
// core: host models as Programs, and the wrapper that finds the places for seeds.

#include "esper/base/error.h"

namespace esper::core {

#define ESPER_CORE_ERRORS(X)                                                     \
    X(kUnknownHost, kUsage) /* no host of that kind */                           \
    X(kBadHostSpec, kUsage) /* a network of this kind cannot have these sizes */ \
    X(kNoAnchor, kUsage)    /* the anchor globs and kinds select nothing */      \
    X(kBadWrap, kUsage)     /* more seeds per anchor than features to share */
ESPER_DEFINE_ERRORS(CoreError, "core", ESPER_CORE_ERRORS)

}  // namespace esper::core
