#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace esper::configs {

/// Decimal text to a number, independent of the locale; false for anything but one whole finite
/// number. A leading `+` is allowed.
bool read_number(std::string_view text, double& out);
bool read_number(std::string_view text, std::int64_t& out);
bool read_number(std::string_view text, std::uint64_t& out);
bool read_number(std::string_view text, int& out);

/// The shortest text that reads back as the same number; with a point where it has an exponent,
/// because some readers of YAML take `1e-08` for a word.
std::string write_number(double value);

}  // namespace esper::configs
