#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/records/events.h"

namespace esper::records {

/// One block that became two, derived from a run's events. A rollback to the step of the split or
/// an earlier one undoes it.
struct SplitStory {
    std::string block;
    std::string copy;
    std::int64_t step = 0;
    std::string why;
    std::int64_t undone = -1;  ///< step of the rollback; -1: the split stands
    std::string why_undone = {};
};

/// In the order of the splits.
std::vector<SplitStory> split_stories(const std::vector<Event>& events);

/// `block blocks.0 was split into two at step 812: …`, and what became of it.
std::string in_words(const SplitStory& story);

nlohmann::json to_json(const SplitStory& story);

}  // namespace esper::records
