#pragma once

#include <optional>
#include <string>
#include <vector>

namespace esper::records {

/// A finished network among others, to be compared by what it cost and what it is worth.
struct ParetoPoint {
    std::string name;   ///< of its run's folder, as it was given
    std::string trunk;  ///< the growing run that it was finished from; empty: a run of its own
    double loss = 0;    ///< on the test part; without one, on the validation part
    std::optional<double> accuracy;  ///< on the same part; numbers that are predicted have none
    double flops = 0;  ///< everything that its run spent, its share of the trunk included
    double parameters = 0;
    double milliseconds = 0;  ///< for one example, measured
    /// Whether no other network has a lower loss for no more FLOPs, parameters, time.
    bool best_by_flops = false, best_by_parameters = false, best_by_time = false;
};

/// Sets best_by_… of each point.
void mark_the_best(std::vector<ParetoPoint>& points);

/// One self-contained page: loss against FLOPs, parameters and time, and the table.
std::string pareto_page(const std::vector<ParetoPoint>& points);

}  // namespace esper::records
