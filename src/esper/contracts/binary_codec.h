#pragma once

#include <string>
#include <string_view>

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// The compact binary form, written and read through RecordInfo. codec.h has the typed functions,
/// docs/contracts.md the layout. A value has exactly one encoding: equal records give equal bytes.

inline constexpr unsigned char kBinaryMagic = 0xE5;

Result<std::string> write_binary(const RecordInfo& info, const void* record, std::uint16_t version);
Status read_binary(const RecordInfo& info, std::string_view bytes, void* record);

/// The type number in the header of a frame.
Result<std::uint8_t> binary_type(std::string_view bytes);

/// The bytes of one field's value at the newest version, for comparisons.
std::string binary_image(const FieldInfo& field, const void* record);

}  // namespace esper::contracts
