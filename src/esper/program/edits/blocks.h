#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// A block of a Program: the instructions under one module path. They read one value x that flows
/// through the network, and give one value y of the same type. SplitBlock makes two of it.
struct Block {
    std::string name;  ///< the module path, e.g. `blocks.3` or `layer2.1`
    ValueId x;
    ValueId y;
    std::vector<std::size_t> instructions;  ///< in order; without those of seeds
    std::vector<std::string> parameters;    ///< the block's own
    std::vector<std::string> buffers;
    std::int64_t elements = 0;  ///< of all its parameters

    /// A residual block is x + f(x), or several of these in a row, each followed by a ReLU or not.
    /// These are the parameters of each f's last layer. f is halved when they are.
    std::vector<std::string> output;
    /// A layer relu(Wx + b) without a residual path, whose x is the result of a ReLU. With the
    /// identity for W and 0 for b it changes nothing. Empty for a residual block.
    std::string weight;
    std::string bias;
};

/// The innermost blocks that can be split, in the order of their instructions. What a block shares
/// with the rest of the Program (a mask, a tied weight that is not in f's last layer) does not
/// hinder. Errors: those of infer_types().
Result<std::vector<Block>> find_blocks(const Program& program);

/// The name for a copy: `blocks.3-2` for the first copy of `blocks.3`, then `blocks.3-3`, also
/// where a copy is copied.
std::string name_for_copy(const Program& program, const std::string& block);

/// `name` is the path or lies below it.
bool is_under(std::string_view name, std::string_view path);

}  // namespace esper::graph
