#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// One row of metrics.csv: the end of one epoch. Nothing where the run did not measure it.
struct MetricsRow {
    std::int64_t epoch = 0;
    std::int64_t step = 0;
    std::optional<double> train_loss = {};
    std::optional<double> val_loss = {};
    std::optional<double> val_accuracy = {};
    std::optional<double> learning_rate = {};
    std::optional<double> parameters = {};
    std::optional<double> flops_per_example = {};  ///< forward
    std::optional<double> flops_total = {};
    std::optional<double> seconds = {};              ///< since the run began, stops left out
    std::optional<double> examples_per_second = {};  ///< trained, over the epoch
    std::optional<double> resident_bytes = {};       ///< memory of the run's process
};

/// Reads the text of a metrics.csv. Columns that are not in MetricsRow are passed over, as is a
/// last line without its end. Errors: kBadRecord naming line and column.
Result<std::vector<MetricsRow>> parse_metrics(std::string_view text);

/// An object with a number or null for each column.
nlohmann::json to_json(const MetricsRow& row);

}  // namespace esper::records
