#pragma once

#include <string>

#include "esper/services/tezzeret/tile_graph.h"

namespace esper::tezzeret {

struct EmitOptions {
    bool bf16 = false;            ///< products multiply bfloat16 and add in float; not of images
    std::int64_t tile_rows = 96;  ///< a multiple of 48
    int panel = 0;  ///< columns of a product that are computed together, 16, 32, 48 or 64; 0: as
                    ///< many as the registers of the instruction set hold best
    bool saves = true;         ///< forward keeps products and row sums for backward
    bool shares_loops = true;  ///< values of one width that are ready together share a loop
};

/// The C++ source of a branch's kernel (include/esper/kernel_abi.h, interface 3): one forward and
/// one backward function over tiles of rows. Values that backward needs are kept if they are
/// products or row sums (and `saves`), and computed again if they are elementwise. Error:
/// kUnsupported.
Result<std::string> emit_cpp(const TileGraph& graph, const EmitOptions& options);

/// The text that each kernel begins with: the interface and the runtime header.
std::string kernel_prelude();

}  // namespace esper::tezzeret
