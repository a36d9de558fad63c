#pragma once

#include <string>
#include <string_view>

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// The compact binary form over descriptors; codec.h has the typed face, docs/contracts.md the
/// layout. Every value has exactly one encoding, so equal records give equal bytes.

inline constexpr unsigned char kBinaryMagic = 0xE5;

Result<std::string> write_binary(const RecordInfo& info, const void* record, std::uint16_t version);
Status read_binary(const RecordInfo& info, std::string_view bytes, void* record);

/// The number of the type that a frame says it holds.
Result<std::uint8_t> binary_type(std::string_view bytes);

/// The bytes of one field's value at the newest version, for comparisons.
std::string binary_image(const FieldInfo& field, const void* record);

}  // namespace esper::contracts
