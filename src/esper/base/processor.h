#pragma once

namespace esper {

/// Physical cores that this process may run on; hardware threads where the system does not say
/// which of them share a core. At least 1.
int physical_cores();

/// Whether the processor multiplies bf16 numbers itself (AVX-512 BF16 or AMX).
bool multiplies_bf16();

}  // namespace esper
