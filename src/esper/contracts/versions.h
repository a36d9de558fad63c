#pragma once

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// kUnknownVersion unless 1 <= version <= what the type knows.
Status check_version(const RecordInfo& info, std::uint64_t version);

/// kNotRepresentable when the record, or one nested in it, holds a value that differs from its
/// default in a field that `version` does not have.
Status check_representable(const RecordInfo& info, const void* record, std::uint16_t version);

}  // namespace esper::contracts
