#pragma once

#include <cstdint>
#include <optional>

#include "esper/configs/config.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/services/tolaria/learn/optimizer.h"

namespace esper::tolaria {

/// The optimizer's settings for a block of parameters: the host's (without a treatment) or that of
/// a seed that has made `age` steps. A run and its forks both use these rules.
BlockSettings block_settings(const configs::EsperConfig& config,
                             const std::optional<execution::SeedTreatment>& treatment,
                             std::int64_t age);

}  // namespace esper::tolaria
