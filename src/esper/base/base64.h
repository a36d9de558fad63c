#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace esper {

/// RFC 4648, with padding.
std::string base64_of(std::span<const std::uint8_t> bytes);
inline std::string base64_of(std::string_view bytes) {
    return base64_of({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace esper
