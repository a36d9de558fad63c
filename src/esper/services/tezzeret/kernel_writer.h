#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/services/tezzeret/emit_cpp.h"

namespace esper::tezzeret {

/// A kernel's two functions.
enum class Pass : std::uint8_t { kForward, kBackward };

/// The C++ of one of them: its buffers, the packing of parameters and the loops over one tile.
/// `saved` are the values that forward keeps for backward. Error: kUnsupported.
Result<std::string> write_pass(const TileGraph& graph, const EmitOptions& options, Pass pass,
                               const std::vector<std::size_t>& saved);

/// A width as it lies in memory: whole vectors.
inline std::int64_t padded(std::int64_t width) { return (width + 15) / 16 * 16; }

}  // namespace esper::tezzeret
