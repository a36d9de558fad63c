#pragma once

#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The part of a seed that a native kernel can compute: its calls from the value that it reads to
/// its result. Left out are the detach and the join that tie a seed to its host and, of a seed on a
/// chunk of the features, the calls that cut the chunk out and put its result back.
struct SeedBranch {
    std::size_t begin = 0;  ///< its first instruction
    std::size_t end = 0;    ///< the one after its last
    ValueId x;
    ValueId y;
    std::vector<ValueId> parameters;  ///< in the order of `program`
    /// The same calls on their own, from `x` to `y`. Parameters have the names that the blueprint
    /// gave them and are in the order of their names, as kernels take them.
    ProgramPtr program;
};

/// `sample` are the sizes of one sample of x: {features}, {tokens, features} or {features, height,
/// width}. Errors: kUnknownName for no such seed; kIllegalEdit for one with buffers, with controls,
/// or tied to its host by more than x and y.
Result<SeedBranch> seed_branch(const Program& program, std::string_view seed,
                               const std::vector<std::int64_t>& sample);

/// The same of a blueprint (an input `x`, an output `y`) that is in no host yet.
Result<SeedBranch> blueprint_branch(const Program& blueprint,
                                    const std::vector<std::int64_t>& sample);

/// The type of a branch's input: numbers of samples and of tokens are free.
TensorType branch_input(const std::vector<std::int64_t>& sample);

}  // namespace esper::graph
