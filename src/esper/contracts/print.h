#pragma once

#include <string>

#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// One line for people.
std::string print_record(const RecordInfo& info, const void* record);

}  // namespace esper::contracts
