#pragma once

#include "esper/base/error.h"

namespace esper::execution {

#define ESPER_KERNEL_ERRORS(X)                                                           \
    X(kBadBundle, kData)            /* the bytes are not a kernel bundle */              \
    X(kBadManifest, kData)          /* the manifest lacks something or is not JSON */    \
    X(kBadKey, kUsage)              /* not an Ed25519 key */                             \
    X(kBadSignature, kVerification) /* no trusted key made the signature */              \
    X(kDigestMismatch, kVerification)                                                    \
    X(kWrongKernel, kVerification) /* the artifact has another id than the one wanted */ \
    X(kBadOwner, kVerification)                                                          \
    X(kBadMode, kVerification)    /* others may write to the file */                     \
    X(kNotRegular, kVerification) /* a link, a folder, a device */                       \
    X(kTooLarge, kData)                                                                  \
    X(kUnreadable, kData)                                                                \
    X(kNotLoadable, kRuntime) /* the dynamic linker refused it */                        \
    X(kMissingSymbol, kData)                                                             \
    X(kAbiMismatch, kData)                                                               \
    X(kReturnedError, kRuntime)                                                          \
    X(kWrongResult, kRuntime) /* further from the operators' than rounding explains */   \
    X(kNotFinite, kRuntime)                                                              \
    X(kOverrun, kRuntime) /* it wrote to what it may only read */                        \
    X(kTimedOut, kRuntime)                                                               \
    X(kCrashed, kRuntime)                                                                \
    X(kExited, kRuntime)                                                                 \
    X(kGuardUnavailable, kRuntime)
ESPER_DEFINE_ERRORS(KernelError, "kernel", ESPER_KERNEL_ERRORS)

}  // namespace esper::execution
