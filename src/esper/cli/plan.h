#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/base/error.h"
#include "esper/configs/config.h"

namespace esper::cli {

/// The plan of a run, without training a step: the host, its places for seeds, the length and the
/// files. Opens the data and builds the host. Errors: those of both.
Result<nlohmann::json> plan_of(const configs::EsperConfig& config);

/// The plan as comment lines, to be printed above the resolved configuration.
std::string plan_in_words(const nlohmann::json& plan);

}  // namespace esper::cli
