#pragma once

#include "esper/base/error.h"

namespace esper::nissa {

#define ESPER_NISSA_ERRORS(X)                                                     \
    X(kNoSuchRun, kData)   /* no run of that id, or its folder has gone */        \
    X(kBadQuery, kUsage)   /* a parameter of a request that is none */            \
    X(kDamagedFile, kData) /* a file of a run that cannot be what a run writes */ \
    X(kNoFolder, kUsage)   /* a folder of runs that is not there */
ESPER_DEFINE_ERRORS(NissaError, "nissa", ESPER_NISSA_ERRORS)

}  // namespace esper::nissa
