#pragma once

#include "esper/base/error.h"

namespace esper::tolaria {

#define ESPER_DATA_ERRORS(X)                                                \
    X(kMissing, kData)                                                      \
    X(kTruncated, kData)                                                    \
    X(kCorrupt, kData)                                                      \
    X(kTooSmall, kData)                                                     \
    X(kTooLarge, kData)                                                     \
    X(kNotText, kData)                                                      \
    X(kUnknownName, kUsage)                                                 \
    X(kBadOption, kUsage)                                                   \
    X(kBadIndex, kRuntime)                                                  \
    X(kUnsupportedFormat, kData) /* recognised, and not one that is read */ \
    X(kNoMemory, kRuntime)
ESPER_DEFINE_ERRORS(DataError, "data", ESPER_DATA_ERRORS)

}  // namespace esper::tolaria
