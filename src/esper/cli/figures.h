#pragma once

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/cli/run_rows.h"
#include "esper/services/records/statistics.h"

namespace esper::cli {

/// A figure by which runs are compared, as run.json has it.
struct Figure {
    const char* key;
    const char* name;
    bool is_share = false;  ///< shown in percent
};
inline constexpr std::array<Figure, 4> kFigures = {{{"best_val_loss", "best val loss"},
                                                    {"val_accuracy", "val accuracy", true},
                                                    {"test_loss", "test loss"},
                                                    {"test_accuracy", "test accuracy", true}}};

/// Runs that differ by their seed alone.
using SeedGroup = std::vector<const ListedRun*>;

/// The figure of the runs that have it, by their seed.
std::multimap<std::int64_t, double> values_by_seed(const SeedGroup& group, const Figure& figure);
std::vector<double> values_of(const SeedGroup& group, const Figure& figure);

/// `1.2345 ± 0.0123`, `93.10 ± 0.40 %`, or a dash.
std::string with_interval(const records::Estimate& estimate, const Figure& figure);
/// For each figure that the group has: n, mean, half_width (null for one run).
nlohmann::json figures_json(const SeedGroup& group);

}  // namespace esper::cli
