#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/nissa/run_state.h"

namespace esper::nissa {

/// A figure of one run, as Prometheus and the alerts know it.
struct RunFigure {
    std::string_view name;  ///< e.g. `esper_run_step`
    std::string_view help;
};
/// Each with a place in RunFigures.
std::span<const RunFigure> run_figures();
/// Values in the order of run_figures(); nothing where a run has no such figure.
using RunFigures = std::vector<std::optional<double>>;

/// Resident memory of a run's process, looked at every so often: whether it grows without end.
class MemoryCourse {
  public:
    /// Takes a look at the process that the run's lock file names, at most every ten seconds.
    void look(const std::filesystem::path& folder, std::int64_t now_ns);
    std::optional<double> bytes() const;
    /// Of the last hour, once there are twenty minutes: the least of its last quarter against the
    /// most of its first. Above 1 the memory has risen for good; a leak keeps on doing so.
    std::optional<double> growth() const;

  private:
    struct Look {
        std::int64_t at_ns = 0;
        double bytes = 0;
    };
    std::deque<Look> looks_;
};

/// `row` is the run's row of the list, `record` its run.json.
struct FiguresOf {
    RunState state = RunState::kUnreadable;
    std::int64_t silent_ns = 0;
    const nlohmann::json& row;
    const nlohmann::json& record;
    bool loss_is_finite = true;
    bool has_unread_files = false;
    std::optional<double> examples_per_second = {};
    const MemoryCourse& memory;
    std::optional<double> lag_seconds = {};  ///< ReadingLag
};
RunFigures figures_of(const FiguresOf& facts);

/// An alert is a figure above a bound. One table, read in process and written out for Prometheus.
struct AlertRule {
    std::string_view kind;    ///< as the page shows it, e.g. `not finite`
    std::string_view figure;  ///< a name of run_figures()
    double bound = 0;
    std::string_view severity;  ///< `page`, `warning`
    std::string_view text;      ///< what is wrong
};
std::span<const AlertRule> alert_rules();
/// Whether the figure is there and above the bound.
bool holds(const AlertRule& rule, const RunFigures& figures);
/// Why files of a run cannot be read; empty where they can.
struct UnreadFiles {
    std::string record;  ///< run.json
    std::string others;
};
/// What a person should look at, with what to do about it.
std::vector<Alert> alerts_of(const RunFigures& figures, const nlohmann::json& row,
                             const std::filesystem::path& folder, const UnreadFiles& unread);
/// The rules as a file of rules for Prometheus (YAML).
std::string prometheus_rules();

}  // namespace esper::nissa
