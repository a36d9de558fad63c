#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/nissa/event_log.h"
#include "esper/services/nissa/metrics_tail.h"
#include "esper/services/nissa/reading_lag.h"
#include "esper/services/nissa/run_figures.h"
#include "esper/services/nissa/run_state.h"
#include "esper/services/nissa/series.h"

namespace esper::nissa {

/// Which curves are asked for.
struct CurveQuery {
    std::vector<std::string> metrics;  ///< columns of metrics.csv
    std::string x = "step";
    std::size_t points = 1200;
    std::optional<double> from = {}, to = {};  ///< of x
};

/// One run's folder, as far as somebody has asked for it. Thread-safe.
class Run {
  public:
    Run(std::string id, std::filesystem::path folder);

    const std::string& id() const { return id_; }
    const std::filesystem::path& folder() const { return folder_; }

    /// What came since the last refresh().
    struct News {
        bool row = false;     ///< the row of the list is another one
        bool again = false;   ///< rows of metrics that were told are gone
        bool growth = false;  ///< the events or the journal have changed
        std::vector<std::string> columns;
        std::vector<std::vector<double>> rows;  ///< of metrics
        bool any() const { return row || again || growth || !rows.empty(); }
    };
    /// Looks at the files' sizes and times, and reads what is new. `now_ns` is since 1970.
    News refresh(std::int64_t now_ns);
    /// Whether refresh() should come soon again.
    bool is_active(std::int64_t now_ns) const;
    /// Whether the folder is a run's: it has a run.json, though perhaps none that may be read.
    static bool is_in(const std::filesystem::path& folder);

    /// What it is doing, and the kinds of its alerts.
    std::pair<RunState, std::vector<std::string>> condition() const;
    /// For Prometheus (run_figures()).
    RunFigures figures() const;
    /// The run in the list of all, as JSON text.
    std::string row() const;
    /// run.json, configuration, columns and alerts.
    nlohmann::json detail();
    /// The curves as JSON text: `x` and for each metric a list of values, or, where a point stands
    /// for several rows, lists of `low`, `high` and `mean`. Errors: kBadQuery, kDamagedFile.
    Result<std::string> curves(const CurveQuery& query);
    /// Topology, seeds' lives, events and health. What cannot be read is named in `problems`.
    nlohmann::json growth();
    /// Each key of config.yaml with its value as text; empty where the file cannot be read.
    nlohmann::json settings();
    /// The events after the first `after` ones. Error: kDamagedFile.
    Result<nlohmann::json> events(std::size_t after);

    /// What the files that were asked for take, and when somebody last asked.
    std::size_t memory() const { return memory_; }
    std::int64_t last_asked() const { return last_asked_; }
    /// Lets go of what was read; it is read again when somebody asks.
    void forget();

  private:
    void read_record();
    void find_unread();
    std::vector<std::string> columns() const;
    void settle(std::int64_t now_ns);
    std::int64_t oldest_of(const News& news, const std::vector<FileLook>& changed) const;
    Status load_series();
    Status load_events();
    void count_memory();
    Result<std::string> closer(const CurveQuery& query, std::size_t x, Series::Range range);

    const std::string id_;
    const std::filesystem::path folder_;
    mutable std::mutex mutex_;

    nlohmann::json record_ = nlohmann::json::object();  ///< run.json
    std::string problem_;                               ///< why it cannot be read
    std::string unread_;                                ///< which other files cannot, and why
    FileLook record_look_, metrics_look_, events_look_, journal_look_;
    std::int64_t written_ns_ = 0;  ///< by the files
    std::int64_t seen_ns_ = 0;     ///< when a change of them was seen last
    RunState state_ = RunState::kUnreadable;
    MemoryCourse memory_course_;
    ReadingLag lag_;
    RunFigures figures_;
    std::vector<Alert> alerts_;
    std::string row_;
    MetricsTail tail_;

    struct Loaded {
        Series series;
        GrowingFile file;
    };
    std::unique_ptr<Loaded> series_;
    std::unique_ptr<EventLog> events_;
    nlohmann::json settings_ = nlohmann::json::object();
    FileLook settings_look_;
    nlohmann::json topology_;
    std::string topology_problem_;
    FileLook topology_look_;
    std::atomic<std::size_t> memory_ = 0;
    std::atomic<std::int64_t> last_asked_ = 0;
};

}  // namespace esper::nissa
