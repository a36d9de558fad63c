#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace esper::urabrask {

/// How far a kernel's results lie from the interpreter's in float64, in norm per result.
struct Comparison {
    double error = 0;    ///< the largest relative error
    double allowed = 0;  ///< of that result: four times ATen's own error, or the floor
    std::string why;     ///< "" if every result is within its bound
};

/// `names` are for messages. `aten`: the results of ATen's operators in the kernel's precision. A
/// result is compared where the reference and ATen's are finite; where ATen's is NaN the kernel's
/// must not be finite, and where ATen's is finite the kernel's must be.
Comparison compare(const std::vector<std::string>& names, const std::vector<at::Tensor>& kernel,
                   const std::vector<at::Tensor>& aten, const std::vector<at::Tensor>& reference,
                   double floor);

}  // namespace esper::urabrask
