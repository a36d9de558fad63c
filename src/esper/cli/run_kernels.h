#pragma once

#include <memory>

#include "esper/configs/config.h"
#include "esper/services/ports/kernel_supply.h"

namespace esper::cli {

/// Where a run's kernels come from: the user's library, and this program as the forge. Null where
/// the configuration wants none.
std::shared_ptr<ports::KernelSupply> kernels_for(const configs::EsperConfig& config);

}  // namespace esper::cli
