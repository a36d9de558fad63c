#pragma once

#include "esper/base/error.h"

namespace esper::urza {

#define ESPER_URZA_ERRORS(X)                                                              \
    X(kUnknownBlueprint, kData)                                                           \
    X(kUnknownKernel, kData)                                                              \
    X(kBadBlueprint, kData) /* no Program, or operators that blueprints may not use */    \
    X(kConflict, kData)     /* another thing has that id, or two things contradict */     \
    X(kNoObject, kData)     /* the kernel's file was collected */                         \
    X(kBadRequest, kUsage)                                                                \
    X(kUnknownToken, kData)                                                               \
    X(kUnknownWork, kData)                                                                \
    X(kStaleLease, kData)        /* another worker has the job by now */                  \
    X(kBadTokens, kVerification) /* damaged, or others could have written it */           \
    X(kNetworkFileSystem, kUsage)                                                         \
    X(kTooNew, kData) /* made by a newer version */                                       \
    X(kReadOnly, kRuntime)                                                                \
    X(kDiskFull, kRuntime)                                                                \
    X(kDatabase, kRuntime)       /* what the database reports otherwise */                \
    X(kUnreachable, kRuntime)    /* no answer from the database, the objects, a server */ \
    X(kUnknownFate, kRuntime)    /* the answer to a commit was lost */                    \
    X(kBadAddress, kUsage)       /* of a library, or of its objects */                    \
    X(kTooLarge, kData)          /* an object */                                          \
    X(kDamaged, kVerification)   /* the database's file */                                \
    X(kBadObject, kVerification) /* the object's file is not what its name says */        \
    X(kBadRow, kVerification)    /* a row is not what was signed */                       \
    X(kBrokenLedger, kVerification)                                                       \
    X(kDenied, kUsage)           /* a server does not let this token do that */           \
    X(kBadAnswer, kVerification) /* a server said what cannot be, or another thing */     \
    X(kInsecure, kUsage)         /* a token would travel, or lie, where others read it */
ESPER_DEFINE_ERRORS(UrzaError, "urza", ESPER_URZA_ERRORS)

}  // namespace esper::urza
