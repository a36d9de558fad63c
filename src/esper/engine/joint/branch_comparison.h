#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace esper::graph {

/// How far a kernel's results lie from the interpreter's in float64, in norm per result.
struct Comparison {
    double error = 0;    ///< the largest relative error
    double allowed = 0;  ///< of that result: some times ATen's own error, or the floor
    std::string why;     ///< "" if every result is within its bound
};

struct ComparisonBound {
    double floor = 0;  ///< a relative error that is always allowed
    double times_aten = 4;
};

/// `names` are for messages. `aten`: the results of ATen's operators in the kernel's precision. A
/// result is compared where the reference and ATen's are finite; where ATen's is NaN the kernel's
/// must not be finite, and where ATen's is finite the kernel's must be.
Comparison compare_branches(const std::vector<std::string>& names,
                            const std::vector<at::Tensor>& kernel,
                            const std::vector<at::Tensor>& aten,
                            const std::vector<at::Tensor>& reference, ComparisonBound bound);

}  // namespace esper::graph
