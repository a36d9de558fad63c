#pragma once

#include "esper/base/error.h"

namespace esper::contracts {

#define ESPER_CONTRACT_ERRORS(X)                                                                   \
    X(kSyntax, kData)                   /* not JSON, or not a frame of ours */                     \
    X(kUnknownField, kData)             /* a field that the type does not have */                  \
    X(kMissingField, kData)             /* a required field is absent */                           \
    X(kDuplicateField, kData)           /* a field or key stands twice */                          \
    X(kWrongType, kData)                /* e.g. text where a number belongs */                     \
    X(kOutOfRange, kData)               /* a number, length or count outside its bounds */         \
    X(kBadFormat, kData)                /* text that is no id, hash, UUID, URI or time */          \
    X(kUnknownValue, kData)             /* a word or number that is no value of the enum */        \
    X(kInconsistent, kData)             /* fields that contradict each other */                    \
    X(kBadText, kData)                  /* text that is not UTF-8 */                               \
    X(kTooDeep, kData)                  /* nested beyond the limit */                              \
    X(kTooLarge, kData)                 /* input beyond the limit */                               \
    X(kTruncated, kData)                /* the input ends too early */                             \
    X(kTrailingBytes, kData)            /* the input goes on after its end */                      \
    X(kNotCanonical, kData)             /* bytes that our writer would have written otherwise */   \
    X(kWrongSchema, kData)              /* another type than the one asked for */                  \
    X(kUnknownVersion, kData)           /* a schema version that this build does not know */       \
    X(kNotRepresentable, kUsage)        /* the older version asked for has no place for a value */ \
    X(kChecksumMismatch, kVerification) /* the CRC-32C or SHA-256 does not match */                \
    X(kIllegalTransition, kUsage)       /* a status may not go there from here */                  \
    X(kWrongRole, kUsage)               /* the actor may not do that */
ESPER_DEFINE_ERRORS(ContractError, "contracts", ESPER_CONTRACT_ERRORS)

}  // namespace esper::contracts
