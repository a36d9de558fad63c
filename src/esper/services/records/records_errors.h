#pragma once

#include "esper/base/error.h"

namespace esper::records {

#define ESPER_RECORDS_ERRORS(X)                                                                    \
    X(kBadRunFolder, kUsage)          /* not a run's folder, or a folder with other files */       \
    X(kFolderInUse, kRuntime)         /* another process works in it */                            \
    X(kFolderGone, kRuntime)          /* it was moved or removed under the run */                  \
    X(kBadRecord, kData)              /* a line of a run's files that does not say what it must */ \
    X(kForeignJournal, kVerification) /* journal and checkpoint are not of one history */
ESPER_DEFINE_ERRORS(RecordsError, "records", ESPER_RECORDS_ERRORS)

}  // namespace esper::records
