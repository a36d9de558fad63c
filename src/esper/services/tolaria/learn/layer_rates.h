#pragma once

#include <functional>
#include <map>
#include <string>

#include "esper/configs/optimization.h"
#include "esper/program/program.h"

namespace esper::tolaria {

/// The learning rate of each parameter's layer relative to the last one's, for layer-wise decay
/// (Bao et al. 2022, timm's layer_decay): decay to the power of how many layers come after it. A
/// layer is what stands under a number in the names (`blocks.3`, `layer1.0`), with the copies that
/// a split makes of it (`blocks.3-2`); what is used before the first of them is one layer, what
/// comes after the last another. Parameters of seeds have no layer.
std::map<std::string, double, std::less<>> layer_rates(const graph::Program& program, double decay);

/// Whether layer_decay and groups act on a network that has this Program: some parameter stands
/// under a number, and each pattern fits one. A pattern that begins with `seed` waits for seeds.
/// Error: kUnsupported, with the names that there are.
Status check_parameter_keys(const configs::OptimizationConfig& config,
                            const graph::Program& program);

}  // namespace esper::tolaria
