#pragma once

#include <cstdint>

namespace esper::vector {

/// Instruction sets that the loops over vectors are compiled for, narrowest first; chosen at run
/// time. AVX2 here includes FMA, AVX-512 its F, VL, DQ and BW parts.
enum class Isa : std::uint8_t { kBaseline, kAvx2, kAvx512 };

/// The widest that this CPU has.
Isa best_isa();
/// Whether this CPU multiplies bfloat16 itself (AVX512-BF16).
bool has_bf16_products();

}  // namespace esper::vector
