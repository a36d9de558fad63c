#pragma once

#include <filesystem>
#include <string>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

struct MlflowExport {
    std::filesystem::path folder;  ///< of the run in the store
    std::string id;                ///< of the run; the same for each export of it
};

/// Writes a run into a folder in which MLflow keeps experiments as files (its FileStore,
/// `mlflow ui --backend-store-uri DIR`): the columns of metrics.csv as metrics with step and time,
/// the figures of run.json besides, the configuration as parameters, and run.json, config.yaml,
/// metrics.csv, events.jsonl and report.html as artifacts. What an earlier export of the run wrote
/// is replaced. Columns and keys with characters that MLflow allows in no name are left out.
/// Errors: those of RunTimes::read and records::read_run_json, those of writing.
Result<MlflowExport> write_mlflow(const std::filesystem::path& run,
                                  const std::filesystem::path& store,
                                  const std::string& experiment);

}  // namespace esper::nissa
