#pragma once

#include "esper/base/error.h"

namespace esper::tolaria {

#define ESPER_ADAPT_ERRORS(X)                                                          \
    X(kBadAdapter, kData)        /* a file that is no adapter */                       \
    X(kOtherHost, kVerification) /* an adapter of another network */                   \
    X(kNameTaken, kUsage)        /* the host has an adapter of that name */            \
    X(kNoSuchAdapter, kUsage)    /* the host has none of that name */                  \
    X(kTooFewParameters, kUsage) /* they do not pay for one hidden unit */             \
    X(kShortBudget, kUsage)      /* less than placing a part and a step of training */ \
    X(kOtherTask, kUsage)        /* data whose inputs or classes are not the host's */ \
    X(kStopped, kUsage)          /* whoever started it stopped it before its training */
ESPER_DEFINE_ERRORS(AdaptError, "adapt", ESPER_ADAPT_ERRORS)

}  // namespace esper::tolaria
