#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "esper/base/error.h"

namespace esper::cli {

/// The run's run.json. Errors: kBadRunFolder where there is none, or it is no JSON object.
Result<nlohmann::json> read_run_json(const std::filesystem::path& folder);

/// events.jsonl as an array, empty where there is none. A torn last line is what a crash may leave;
/// it is passed over.
nlohmann::json read_events(const std::filesystem::path& folder);

/// metrics.csv as an array of objects, a number or null by column.
nlohmann::json read_metrics(const std::filesystem::path& folder);

}  // namespace esper::cli
