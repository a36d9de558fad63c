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

/// One object: `"schema": "<Type>/<version>"`, then the fields in the order of declaration.
/// `version` 0 means the newest. Errors: those of check(); kUnknownVersion; kNotRepresentable when
/// the older version has no field for a value.
template <Contract T>
Result<std::string> to_json(const T& value, std::uint16_t version = 0) {
    const RecordInfo& info = record_info<T>();
    return write_json(info, &value, version == 0 ? info.version : version);
}

/// Reads any version up to this build's; text without a `schema` field counts as the newest.
/// Unknown, repeated and missing fields are errors. Messages name the path, line and column.
template <Contract T>
Result<T> from_json(std::string_view text) {
    T value{};
    ESPER_CHECK_STATUS(read_json(record_info<T>(), text, &value));
    return value;
}

/// A frame with a checksum. Equal values give equal bytes.
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

/// Checks all rules of the type and of the types nested in it.
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
