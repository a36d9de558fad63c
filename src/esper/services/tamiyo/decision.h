#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/contracts/enums.h"

namespace esper::tamiyo {

using contracts::AdaptationCommand;

/// A candidate that was considered and not chosen.
struct Alternative {
    std::string anchor;
    std::string blueprint;
    /// Predicted gain per relative FLOP; nothing if it was not measured.
    std::optional<double> score = {};
};

/// One command to Kasmina with its reasons.
struct Decision {
    AdaptationCommand command = AdaptationCommand::kGerminate;
    std::uint32_t slot = 0;
    std::string seed;
    std::string anchor;
    std::string blueprint;
    /// One sentence for people.
    std::string reason;
    /// The numbers behind `reason`; numbers that were not measured are absent.
    std::map<std::string, double> evidence = {};
    /// Best first.
    std::vector<Alternative> alternatives = {};
};

/// The decision as written to events.jsonl. Scores that were not measured and numbers that are not
/// finite are null.
nlohmann::json to_json(const Decision& decision);

}  // namespace esper::tamiyo
