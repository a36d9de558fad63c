#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// The summary of a finished run, from the files of its folder: what grew and why, sampled text
/// before and after, the figures, and where the report is.
Result<std::string> summary_of_run(const std::filesystem::path& folder);

/// The figures of the run's task, of the part `val` or `test`: `, accuracy 93.10 %`; of a run of an
/// older version the accuracy alone. Empty where run.json has none.
std::string metrics_in_words(const nlohmann::json& run, const std::string& part);

}  // namespace esper::records
