#pragma once

#include <bit>
#include <cstdint>

namespace esper::vector {

/// bfloat16 as its bits.
using Bf16 = std::uint16_t;

[[gnu::always_inline]] constexpr float widen(Bf16 x) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

/// Rounds to nearest, ties to even. Every NaN becomes the quiet NaN.
[[gnu::always_inline]] constexpr Bf16 narrow(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    return static_cast<Bf16>(is_nan ? 0x7FC0U : rounded);
}

}  // namespace esper::vector
