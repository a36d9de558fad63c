#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "esper/services/nissa/run_times.h"
#include "esper/services/records/events.h"

namespace esper::nissa {

/// An event and the stretch of time that it stands for.
struct TimedEvent {
    records::Event event;
    std::int64_t begin_ns = 0;  ///< when the one before it in the same step was written
    std::int64_t end_ns = 0;
};

/// The events of a run in their order; none where it has no events.jsonl. Errors: those of
/// records::Event::parse, and of reading the file.
Result<std::vector<TimedEvent>> read_timed_events(const std::filesystem::path& run,
                                                  const RunTimes& times);

/// What an event says, as attributes of a span: each field under its name after `esper.`, those of
/// an object one by one.
nlohmann::json details_of(const records::Event& event);

}  // namespace esper::nissa
