#pragma once

#include "esper/base/error.h"

namespace esper::urabrask {

#define ESPER_URABRASK_ERRORS(X) \
    X(kWrong, kVerification) /* the kernel's results are not those of the interpreter */
ESPER_DEFINE_ERRORS(UrabraskError, "urabrask", ESPER_URABRASK_ERRORS)

}  // namespace esper::urabrask
