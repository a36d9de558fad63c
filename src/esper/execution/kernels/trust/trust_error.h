#pragma once

#include "esper/base/error.h"

namespace esper::execution {

#define ESPER_TRUST_ERRORS(X)                                                               \
    X(kBadKeyFile, kVerification)    /* damaged, a link, or others may write to it */       \
    X(kNoKey, kData)                 /* the folder has no secret key of that role */        \
    X(kUnknownKey, kVerification)    /* nobody who is trusted signed this key */            \
    X(kRevokedKey, kVerification)    /* the key, or every key that signed it, is revoked */ \
    X(kWrongRole, kVerification)     /* a key that may not sign such a thing */             \
    X(kRootKey, kUsage)              /* the root's key cannot be revoked */                 \
    X(kBadVerdict, kData)            /* the verdict lacks something or is not JSON */       \
    X(kNoVerdict, kVerification)     /* nobody has validated the kernel */                  \
    X(kRefuted, kVerification)       /* the gauntlet refused the kernel */                  \
    X(kOtherManifest, kVerification) /* the verdict is about another kernel */              \
    X(kOtherShape, kVerification)    /* the verdict does not cover this shape */            \
    X(kOtherMachine, kVerification)  /* the processor lacks instructions */
ESPER_DEFINE_ERRORS(TrustError, "trust", ESPER_TRUST_ERRORS)

}  // namespace esper::execution
