#pragma once

#include <cstdint>

namespace esper::vector {

/// The instruction sets that the vector loops are compiled for, narrowest first. best_isa() chooses
/// one at run time. kAvx2 includes FMA; kAvx512 means AVX-512 F, VL, DQ and BW.
enum class Isa : std::uint8_t { kBaseline, kAvx2, kAvx512 };

/// The widest instruction set of this CPU.
Isa best_isa();
/// Whether this CPU has instructions for bfloat16 products (AVX512-BF16).
bool has_bf16_products();

}  // namespace esper::vector
