#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "esper/engine/joint/joint_program.h"

namespace esper::urabrask {

/// One input that a kernel is tried on.
struct Case {
    std::string name;  ///< "97 rows, offset"
    at::Tensor x;      ///< f32 [1, rows, features] or [rows, features]
    at::Tensor gradient;
};

/// Row counts around the kernel's tile (one, odd, prime, one tile, one more) and `rows`, with
/// normal values; and at a prime count zeros, an offset 1,000 deviations large, scales 1e-20 and
/// 1e15, one NaN, one infinity. `type` is that of the branch's input. A kernel for whole images or
/// sequences
/// (`rows_multiple` above 1) is tried on 1, 2, 3, 7 and as many of them as have `rows`.
std::vector<Case> cases_of(const graph::TensorType& type, std::int64_t tile_rows,
                           std::int64_t rows_multiple, std::int64_t rows);

/// Values for a branch's parameters: as its Program begins, moved at random, so that none is zero.
std::vector<at::Tensor> trial_parameters(const graph::ProgramPtr& branch);

}  // namespace esper::urabrask
