#pragma once

#include <string>
#include <utility>
#include <vector>

#include "esper/program/edits/blocks.h"
#include "esper/program/edits/edits.h"

namespace esper::graph {

/// What becomes of the tensors when a block is split: the Program names them, but does not have
/// their values.
struct SplitTensors {
    using Pair = std::pair<std::string, std::string>;  ///< the block's name, the copy's
    std::vector<Pair> parameters;
    std::vector<Pair> buffers;
    /// Parameters of the block that are halved, and so are the copy's.
    std::vector<std::string> halved;
    /// For a layer without a residual path: the copy's weight becomes the identity and the others
    /// in `zeroed` become 0. Empty: the copy has the block's values.
    std::string identity;
    std::vector<std::string> zeroed;
};

/// Errors: kUnknownName where the Program has no such block, with those that it has; kIllegalEdit
/// for a name that is not name_for_copy's; those of infer_types().
Result<SplitTensors> split_tensors(const Program& program, const SplitBlock& edit);

/// apply() for SplitBlock. Errors: those of split_tensors().
Result<ProgramPtr> split_block(const Program& program, const SplitBlock& edit);

}  // namespace esper::graph
