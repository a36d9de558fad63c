#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/base/error.h"
#include "esper/configs/config.h"

namespace esper::cli {

/// What a run would be, without training a step: the host, where it may grow, how long it takes and
/// what it leaves behind. Opens the data and builds the host, so their errors show.
Result<nlohmann::json> plan_of(const configs::EsperConfig& config);

/// The plan as comment lines to stand above the resolved configuration.
std::string plan_in_words(const nlohmann::json& plan);

}  // namespace esper::cli
