#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/records/events.h"

namespace esper::records {

enum class SeedOutcome { kAlive, kKept, kCulled, kCancelled, kRolledBack };
/// `alive`, `kept`, `culled`, `cancelled`, `rolled back`.
std::string_view to_text(SeedOutcome outcome);

/// One seed's life, derived from a run's events. A rollback to step T undoes the later events of
/// the seed. A seed that germinated after T, or whose slot the rollback closed, ended as rolled
/// back.
struct SeedStory {
    std::string seed;
    std::string blueprint;
    std::string anchor;
    std::int64_t slot = -1;
    std::int64_t germinated = 0;  ///< step
    std::string why_germinated;
    SeedOutcome outcome = SeedOutcome::kAlive;
    std::int64_t ended = 0;  ///< step; 0 while it is alive
    std::string why_ended;

    /// What it did from which step on, e.g. `blending in`.
    struct Phase {
        std::string name;
        std::int64_t from = 0;
    };
    std::vector<Phase> phases = {};
    // Places in the list of events, in order; rollbacks take none of them back.
    std::size_t birth = 0;
    std::vector<std::size_t> decisions = {};
    std::vector<std::size_t> gates = {};
};

/// In the order of germination.
std::vector<SeedStory> seed_stories(const std::vector<Event>& events);

/// How many ended so.
std::int64_t count(const std::vector<SeedStory>& stories, SeedOutcome outcome);

nlohmann::json to_json(const SeedStory& story);

}  // namespace esper::records
