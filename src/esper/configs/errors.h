#pragma once

#include "esper/base/error.h"

namespace esper::configs {

#define ESPER_CONFIG_ERRORS(X)                                             \
    X(kUnreadable, kUsage) /* the file is missing or cannot be read */     \
    X(kSyntax, kUsage)     /* not the YAML that is understood here */      \
    X(kTooComplex, kUsage) /* larger or deeper than any honest file */     \
    X(kUnknownKey, kUsage)                                                 \
    X(kDuplicateKey, kUsage)                                               \
    X(kBadValue, kUsage)    /* wrong type, out of range, unknown choice */ \
    X(kConflict, kUsage)    /* two keys that do not go together */         \
    X(kBadOverride, kUsage) /* not of the form key=value */                \
    X(kSeveral, kUsage)     /* problems of more than one kind */           \
    X(kWaiting, kUsage)     /* a key that nothing reads yet */
ESPER_DEFINE_ERRORS(ConfigError, "configs", ESPER_CONFIG_ERRORS)

}  // namespace esper::configs
