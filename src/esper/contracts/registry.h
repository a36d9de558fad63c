#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// All declared types, in the order of their numbers.
std::span<const RecordInfo* const> all_contracts();

/// Finds a type by its name or number; null when there is none.
const RecordInfo* find_contract(std::string_view name);
const RecordInfo* find_contract(std::uint8_t number);

}  // namespace esper::contracts
