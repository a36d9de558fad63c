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

/// What a decision was preferred to.
struct Alternative {
    std::string anchor;
    std::string blueprint;
    /// Predicted gain per relative FLOP; nothing: it was not measured.
    std::optional<double> score = {};
};

/// One command to Kasmina with everything that led to it.
struct Decision {
    AdaptationCommand command = AdaptationCommand::kGerminate;
    std::uint32_t slot = 0;
    std::string seed;
    std::string anchor;
    std::string blueprint;
    /// One sentence for people.
    std::string reason;
    /// The numbers that the sentence rests on; what was not measured is absent.
    std::map<std::string, double> evidence = {};
    /// Best first.
    std::vector<Alternative> alternatives = {};
};

/// As it stands in events.jsonl; scores that were not measured, and numbers that are not finite,
/// are null.
nlohmann::json to_json(const Decision& decision);

}  // namespace esper::tamiyo
