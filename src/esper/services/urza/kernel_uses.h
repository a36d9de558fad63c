#pragma once

#include <optional>
#include <string>
#include <vector>

#include "esper/services/urza/library.h"

namespace esper::urza {

// Figures of a report about a kernel, and of a run's report about a seed.
inline constexpr const char* kMeasuredRisk = "risk_measured";  ///< from the trial alone
inline constexpr const char* kKernelFailed = "kernel_failed";  ///< 0 or 1

/// A kernel that a run used, whatever number of its seeds ran it.
struct KernelUse {
    std::string run;
    std::string kernel;
    std::string blueprint;
    bool failed = false;
    std::optional<double> risk = {};      ///< that its newest report predicts
    std::optional<double> measured = {};  ///< the same from the trial alone
};

/// Of all runs that say whether their kernels failed; older reports do not.
Result<std::vector<KernelUse>> kernel_uses(Library& library);

}  // namespace esper::urza
