#pragma once
// tamiyo: the controller that decides when, where and what a network grows, and judges the result.

#include "esper/base/error.h"

namespace esper::tamiyo {

#define ESPER_TAMIYO_ERRORS(X) X(kBadState, kData) /* a saved controller that cannot be read */
ESPER_DEFINE_ERRORS(TamiyoError, "tamiyo", ESPER_TAMIYO_ERRORS)

}  // namespace esper::tamiyo
