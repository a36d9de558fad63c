#pragma once

#include "esper/base/error.h"

namespace esper::contracts {

#define ESPER_CONTRACT_ERRORS(X)                                                                \
    X(kSyntax, kData)                   /* not JSON, or not one of our frames */                \
    X(kUnknownField, kData)             /* a field that the type does not have */               \
    X(kMissingField, kData)             /* a required field is absent */                        \
    X(kDuplicateField, kData)           /* a field or key appears twice */                      \
    X(kWrongType, kData)                /* e.g. text instead of a number */                     \
    X(kOutOfRange, kData)               /* a number, length or count outside its bounds */      \
    X(kBadFormat, kData)                /* text that is not an id, hash, UUID, URI or time */   \
    X(kUnknownValue, kData)             /* a word or number that is not a value of the enum */  \
    X(kInconsistent, kData)             /* fields that contradict each other */                 \
    X(kBadText, kData)                  /* text that is not UTF-8 */                            \
    X(kTooDeep, kData)                  /* nested beyond the limit */                           \
    X(kTooLarge, kData)                 /* input beyond the limit */                            \
    X(kTruncated, kData)                /* the input ends too early */                          \
    X(kTrailingBytes, kData)            /* the input goes on after its end */                   \
    X(kNotCanonical, kData)             /* our writer would write the value with other bytes */ \
    X(kWrongSchema, kData)              /* the input holds another type */                      \
    X(kUnknownVersion, kData)           /* a schema version that this build does not know */    \
    X(kNotRepresentable, kUsage)        /* the older version has no field for a value */        \
    X(kChecksumMismatch, kVerification) /* the CRC-32C or SHA-256 does not match */             \
    X(kIllegalTransition, kUsage)       /* this status may not change to that one */            \
    X(kWrongRole, kUsage)               /* the actor may not make this change */
ESPER_DEFINE_ERRORS(ContractError, "contracts", ESPER_CONTRACT_ERRORS)

}  // namespace esper::contracts
