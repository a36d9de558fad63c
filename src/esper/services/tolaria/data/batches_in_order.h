#pragma once

#include <functional>

#include "esper/services/tolaria/data/prefetching_loader.h"

namespace esper::tolaria {

/// Hands the first `examples` examples of a part to `take`, in order and without a variation, some
/// hundred at a time. Errors: those of Dataset::fill.
Status take_in_order(const Dataset& data, Part part, std::uint32_t examples,
                     const std::function<void(const Batch&)>& take);

}  // namespace esper::tolaria
