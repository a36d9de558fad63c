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
    X(kBadCall, kUsage) /* these tensors cannot be passed to any kernel */               \
    X(kReturnedError, kRuntime)                                                          \
    X(kWrongShape, kRuntime)                                                             \
    X(kWrongDtype, kRuntime)                                                             \
    X(kNotFinite, kRuntime)                                                              \
    X(kOverrun, kRuntime) /* it wrote past the end of its output */                      \
    X(kTimedOut, kRuntime)                                                               \
    X(kCrashed, kRuntime)                                                                \
    X(kExited, kRuntime)                                                                 \
    X(kGuardUnavailable, kRuntime)                                                       \
    X(kOutOfMemory, kRuntime)                                                            \
    X(kDevice, kRuntime)                                                                 \
    X(kNetwork, kRuntime)                                                                \
    X(kUnknown, kRuntime)
ESPER_DEFINE_ERRORS(KernelError, "kernel", ESPER_KERNEL_ERRORS)

}  // namespace esper::execution
