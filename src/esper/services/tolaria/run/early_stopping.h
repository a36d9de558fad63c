#pragma once

#include <string>
#include <vector>

#include "esper/configs/optimization.h"

namespace esper::tolaria {

/// Why a run ends before its length: after how many epochs without a fall of the validation loss.
/// Empty where it goes on. `losses` are those of all epochs so far, in order.
std::string why_it_learns_no_more(const configs::EarlyStoppingConfig& config,
                                  const std::vector<double>& losses);

}  // namespace esper::tolaria
