#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// When the things in a run's folder happened, in nanoseconds since 1970. A run that was trained
/// with telemetry.event_times knows it of each event; of another one it is told from the seconds in
/// metrics.csv, counted from when its training began or went on (sessions.csv), so that all events
/// between two epochs have the time of one. Older runs have no sessions.csv: there they are counted
/// back from that file's time, as if it had never been stopped; of an old run without seconds, from
/// all of them.
class RunTimes {
  public:
    /// Errors: those of reading metrics.csv; kDamagedFile where no epoch has ended yet.
    static Result<RunTimes> read(const std::filesystem::path& run);

    /// Of the event whose line begins at byte `at` of events.jsonl, at a step.
    std::int64_t of_event(std::uint64_t at, std::int64_t step) const;
    std::int64_t of_step(std::int64_t step) const;
    /// At so many seconds of training.
    std::int64_t after(double seconds) const;
    bool knows_events() const { return !events_.empty(); }
    /// The first row of metrics.csv, in which the seconds are: no other run has the same.
    const std::string& fingerprint() const { return fingerprint_; }

  private:
    std::map<std::uint64_t, std::int64_t> events_;  ///< where a line begins → when it was written
    std::vector<std::pair<std::int64_t, double>> epochs_;    ///< step, seconds
    std::vector<std::pair<double, std::int64_t>> sessions_;  ///< seconds, since 1970
    std::int64_t began_ns_ = 0;
    std::string fingerprint_;
};

/// The id of all that happened to a seed of a run: 32 hexadecimal digits (W3C Trace Context).
std::string trace_id_of(const std::string& fingerprint, const std::string& seed);

}  // namespace esper::nissa
