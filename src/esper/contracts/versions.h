#pragma once

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// kUnknownVersion unless 1 <= version <= info.version.
Status check_version(const RecordInfo& info, std::uint64_t version);

/// kNotRepresentable when `version` lacks a field whose value in the record, or in one nested in
/// it, is not the default.
Status check_representable(const RecordInfo& info, const void* record, std::uint16_t version);

}  // namespace esper::contracts
