#pragma once

#include "esper/configs/data.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {

/// What the `data` section asks for. Its `path` counts for data that come from files, and for
/// CIFAR-10 only where it is not the default text. `context` stands in for a `data.context` of 0.
DataOptions data_options(const configs::DataConfig& config, std::uint32_t context,
                         ImageLayout layout);

}  // namespace esper::tolaria
