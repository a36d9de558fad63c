#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "esper/contracts/contract_error.h"
#include "esper/contracts/reflect.h"

namespace esper::contracts {

/// A broken rule. The caller adds where it happened.
struct Violation {
    ContractError code;
    std::string message;
};

bool has_format(std::string_view text, Format format);
std::string_view format_name(Format format);

/// Checks one number, text or free JSON value against a rule. check_count checks sizes.
std::optional<Violation> check_leaf(const TypeInfo& type, const void* value, const Rule& rule);
std::optional<Violation> check_count(std::size_t count, const Rule& rule);

/// Checks a whole record: every rule, every nested record, and that fields do not contradict each
/// other. The message starts with the path of the field at fault.
std::optional<Violation> check_record(const RecordInfo& info, const void* record);

/// Reads an integer of the type's width.
std::uint64_t load_unsigned(const TypeInfo& type, const void* value);
std::int64_t load_signed(const TypeInfo& type, const void* value);
/// Stores a number; false when the width cannot hold it.
bool store_unsigned(const TypeInfo& type, void* value, std::uint64_t number);
bool store_signed(const TypeInfo& type, void* value, std::int64_t number);

}  // namespace esper::contracts
