#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// Something that was done in a run: who did it, when, to what and why.
struct Deed {
    std::int64_t step = 0;
    std::int64_t epoch = 0;
    std::string at;  ///< when, in UTC (ISO 8601); empty before the run's first epoch has ended
    bool is_about = false;  ///< `at` is told from metrics.csv and right to an epoch (RunTimes)
    std::string who;   ///< `controller`, `gate`, `kernels`, `trainer`, `user`, or a person's words
    std::string what;  ///< the command or the kind of event
    std::string subject;  ///< the seed, block, kernel or checkpoint
    std::string why;
    std::string trace = {};  ///< id of its trace (decision_traces); empty where it has none
};

/// Which deeds are asked for; all conditions must hold.
struct DeedQuery {
    std::string who = {}, what = {};  ///< exactly; empty: any
    std::string subject = {};  ///< a seed, anchor, blueprint, kernel or block that the event names
    std::optional<std::int64_t> from = {}, to = {};  ///< steps
};

/// The deeds in a run's events.jsonl, in order: all its events but those that only tell what was
/// measured (health, readout, scale, sample, pictures). Errors: those of records::read_events.
Result<std::vector<Deed>> deeds_of(const std::filesystem::path& run, const DeedQuery& query);

}  // namespace esper::nissa
