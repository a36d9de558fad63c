#pragma once

#include <optional>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// The number of the column that `name` names; of an empty name the last one that has
/// a value. Error: kBadOption.
Result<std::size_t> find_target(const CsvTable& table, const std::string& name);

/// The columns of several labels: names and patterns with commas between them, of which no column
/// has the whole as its name. Empty where the target is one column. Error: kBadOption.
Result<std::vector<std::size_t>> find_labels(const CsvTable& table, const std::string& name,
                                             std::optional<Task> task);

/// A row whose target is missing teaches nothing: it is refused (kCorrupt), or left out with
/// `skip`.
Status drop_rows_without_target(CsvTable& table, std::size_t target, bool skip);

}  // namespace esper::tolaria
