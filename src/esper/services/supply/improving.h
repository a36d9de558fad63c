#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "esper/services/supply/kernel_orders.h"
#include "esper/services/urza/library.h"

namespace esper::supply {

/// A branch at one sample and precision, of which the library has a kernel that was measured on
/// this kind of machine.
struct Asked {
    ForgeOrder order;
    std::int64_t runs = 0;  ///< that used a kernel of it, as they filed
    /// 0 to 1, Blueprint::tamiyo_interest: runs / (runs + 2), so above 0.7 from the fifth on.
    double interest = 0;
};

/// Those that runs used, most often first. Errors: those of Library.
Result<std::vector<Asked>> asked_for(urza::Library& library);

/// Processes that want a processor, on average of the last minute, for each processor.
double machine_load();

/// What is worth a better kernel at this load (tezzeret::pipeline_for), with the pipeline: of what
/// is asked for, the first that has no kernel of that pipeline and was never ordered so; an
/// attempt without gain is not repeated. Errors: those of Library.
Result<std::optional<Asked>> worth_improving(urza::Library& library, double load);

}  // namespace esper::supply
