#pragma once

#include "esper/base/error.h"

namespace esper::execution {

#define ESPER_KERNEL_ERRORS(X)                                                           \
    X(kBadBundle, kData)            /* not the form of a kernel artifact */              \
    X(kBadManifest, kData)          /* the manifest does not say what it must */         \
    X(kBadKey, kUsage)              /* not an Ed25519 key */                             \
    X(kBadSignature, kVerification) /* signed by nobody who is trusted */                \
    X(kDigestMismatch, kVerification)                                                    \
    X(kWrongKernel, kVerification) /* a good artifact, but another one than asked for */ \
    X(kBadOwner, kVerification)                                                          \
    X(kBadMode, kVerification)    /* others may write to the file */                     \
    X(kNotRegular, kVerification) /* a link, a folder, a device */                       \
    X(kTooLarge, kData)                                                                  \
    X(kUnreadable, kData)                                                                \
    X(kNotLoadable, kRuntime) /* the dynamic linker refused it */                        \
    X(kMissingSymbol, kData)                                                             \
    X(kAbiMismatch, kData)                                                               \
    X(kBadCall, kUsage) /* tensors that no kernel can be called with */                  \
    X(kReturnedError, kRuntime)                                                          \
    X(kWrongShape, kRuntime)                                                             \
    X(kWrongDtype, kRuntime)                                                             \
    X(kNotFinite, kRuntime)                                                              \
    X(kOverrun, kRuntime) /* it wrote behind its output */                               \
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
