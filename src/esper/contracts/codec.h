#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "esper/contracts/binary_codec.h"
#include "esper/contracts/declare.h"
#include "esper/contracts/json_codec.h"
#include "esper/contracts/print.h"
#include "esper/contracts/rule_check.h"

namespace esper::contracts {

/// One object, fields in the order of declaration, preceded by `"schema": "<Type>/<version>"`.
/// `version` 0 stands for the newest. Errors: what the rules say of the value; kUnknownVersion;
/// kNotRepresentable when an older version has no place for a value.
template <Contract T>
Result<std::string> to_json(const T& value, std::uint16_t version = 0) {
    const RecordInfo& info = record_info<T>();
    return write_json(info, &value, version == 0 ? info.version : version);
}

/// Takes any version up to this build's; without a `schema` field the newest is meant. Unknown,
/// doubled and missing fields are refused. Errors carry the path, line and column.
template <Contract T>
Result<T> from_json(std::string_view text) {
    T value{};
    ESPER_CHECK_STATUS(read_json(record_info<T>(), text, &value));
    return value;
}

/// A checksummed frame. Equal values give equal bytes.
template <Contract T>
Result<std::string> to_binary(const T& value, std::uint16_t version = 0) {
    const RecordInfo& info = record_info<T>();
    return write_binary(info, &value, version == 0 ? info.version : version);
}

template <Contract T>
Result<T> from_binary(std::string_view bytes) {
    T value{};
    ESPER_CHECK_STATUS(read_binary(record_info<T>(), bytes, &value));
    return value;
}

/// All rules of the type, and of what is nested in it.
template <Contract T>
Status check(const T& value) {
    auto v = check_record(record_info<T>(), &value);
    if (v) return fail(v->code, std::string(record_info<T>().name) + v->message);
    return {};
}

/// `HealthSignal{health_score=1, epoch=3, …}` for people; not meant to be read back.
template <Contract T>
std::string to_string(const T& value) {
    return print_record(record_info<T>(), &value);
}

template <Contract T>
std::ostream& operator<<(std::ostream& out, const T& value) {
    return out << to_string(value);
}

}  // namespace esper::contracts
