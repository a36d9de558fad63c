#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace esper::cli {

/// One seed's life as a run's events tell it.
struct SeedStory {
    std::string seed;
    std::string blueprint;
    std::string anchor;
    std::int64_t germinated = 0;  ///< step
    std::string why_germinated;
    /// `kept`, `culled`, `cancelled`, or `alive` where no event ends it.
    std::string outcome = "alive";
    std::int64_t ended = 0;
    std::string why_ended;
};

/// In the order of germination. `events`: as read_events gives them.
std::vector<SeedStory> seed_stories(const nlohmann::json& events);

}  // namespace esper::cli
