#pragma once

#include "esper/base/error.h"

namespace esper::tolaria {

#define ESPER_TOLARIA_ERRORS(X)                                                              \
    X(kAlreadyDone, kUsage)          /* nothing is left to resume */                         \
    X(kChangedRun, kUsage)           /* resume with another architecture or other data */    \
    X(kBadCheckpoint, kVerification) /* a checkpoint that does not fit its own claims */     \
    X(kDiverged, kRuntime)  /* the loss is not a number and nothing is left to go back to */ \
    X(kStopped, kRuntime)   /* work beside the steps was ended by a request to stop */       \
    X(kUnsupported, kUsage) /* asked for something this build cannot do */
ESPER_DEFINE_ERRORS(TolariaError, "tolaria", ESPER_TOLARIA_ERRORS)

}  // namespace esper::tolaria
