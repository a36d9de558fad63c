#pragma once

#include <string>
#include <string_view>

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// The JSON form, written and read through RecordInfo. codec.h has the typed functions.

Result<std::string> write_json(const RecordInfo& info, const void* record, std::uint16_t version);
Status read_json(const RecordInfo& info, std::string_view text, void* record);

/// Appends `text` as a JSON string. It must be UTF-8.
void append_json_string(std::string& out, std::string_view text);
/// Appends the shortest decimal form that reads back as the same double. `number` must be finite.
void append_json_number(std::string& out, double number);

}  // namespace esper::contracts
