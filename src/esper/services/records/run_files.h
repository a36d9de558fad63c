#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/records/events.h"
#include "esper/services/records/metrics.h"

// Reads the files of a run's folder. No function here follows a symbolic link or throws.

namespace esper::records {

/// In the run's folder: a copy of the tokenizer.json that its texts are divided by.
inline constexpr const char* kTokenizerFile = "tokenizer.json";
/// When its training began and went on (RunFolder::note_session).
inline constexpr const char* kSessionsFile = "sessions.csv";

/// Refuses a folder that is not a run's, and one in which a file of the run is a symbolic link:
/// reading or continuing the run would read or change a file elsewhere.
/// Errors: kBadRunFolder, OwnFileError::kSymbolicLink.
Status check_run_folder(const std::filesystem::path& folder);

/// The second half of it, for a folder that has no run.json yet.
Status refuse_links(const std::filesystem::path& folder);

/// run.json. Errors: those of check_run_folder, kBadRecord where it is no JSON object or a field
/// that is shown has another type than a run writes.
Result<nlohmann::json> read_run_json(const std::filesystem::path& folder);

/// events.jsonl in order, empty where there is none. A last line without its end is what a crash or
/// a running run may leave; it is passed over. Errors: kBadRecord naming the line and what is
/// wrong.
Result<std::vector<Event>> read_events(const std::filesystem::path& folder);

/// metrics.csv, empty where there is none. Errors: those of parse_metrics.
Result<std::vector<MetricsRow>> read_metrics(const std::filesystem::path& folder);

/// config.yaml as text, empty where there is none.
Result<std::string> read_config_text(const std::filesystem::path& folder);

}  // namespace esper::records
