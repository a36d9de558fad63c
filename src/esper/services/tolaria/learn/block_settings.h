#pragma once

#include <cstdint>
#include <optional>

#include "esper/configs/config.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/services/tolaria/learn/optimizer.h"

namespace esper::tolaria {

/// How a block of parameters is to be trained: the host's (no treatment) or a seed's, `age` of its
/// own steps old. A fork trains by the same rules as the run it is compared with.
BlockSettings block_settings(const configs::EsperConfig& config,
                             const std::optional<execution::SeedTreatment>& treatment,
                             std::int64_t age);

}  // namespace esper::tolaria
