#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace esper::configs {

/// Reads a decimal number, independent of the locale. False unless the whole text is one finite
/// number; a leading `+` is allowed.
bool read_number(std::string_view text, double& out);
bool read_number(std::string_view text, std::int64_t& out);
bool read_number(std::string_view text, std::uint64_t& out);
bool read_number(std::string_view text, int& out);

/// The shortest text that reads back as the same number. A number with an exponent also has a
/// point, because some readers of YAML take `1e-08` for a string.
std::string write_number(double value);

}  // namespace esper::configs
