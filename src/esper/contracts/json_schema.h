#pragma once

#include <string>

#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// JSON Schema (draft 2020-12) of a type at its newest version, indented, nested types under
/// `$defs`. Published under docs/schemas.
std::string json_schema(const RecordInfo& info);

}  // namespace esper::contracts
