#pragma once

#include "esper/base/error.h"

namespace esper::serving {

#define ESPER_TOKEN_ERRORS(X)                                                      \
    X(kMalformed, kVerification) /* no JWT, or one that can be read in two ways */ \
    X(kHeader, kVerification)    /* it asks for what is not done with it */        \
    X(kAlgorithm, kVerification) /* not that of its key */                         \
    X(kUnknownKey, kVerification)                                                  \
    X(kSignature, kVerification)                                                   \
    X(kClaims, kVerification) /* one is missing or of another type */              \
    X(kExpired, kVerification)                                                     \
    X(kNotYet, kVerification) /* its time has not begun */                         \
    X(kIssuer, kVerification)                                                      \
    X(kAudience, kVerification)                                                    \
    X(kBadKeys, kData) /* a JWKS that is none, or that has no key that may be used */
ESPER_DEFINE_ERRORS(TokenError, "token", ESPER_TOKEN_ERRORS)

}  // namespace esper::serving
