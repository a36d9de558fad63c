#include "esper/cli/seed_stories.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace esper::cli {

namespace {

using nlohmann::json;

std::string outcome_of(const json& event) {
    if (event.value("event", "") == "fault") return "culled";
    if (event.value("event", "") != "decision") return "";
    const auto command = event.value("command", "");
    if (command == "fossilize") return "kept";
    if (command == "cull") return "culled";
    if (command == "cancel") return "cancelled";
    return "";
}

}  // namespace

std::vector<SeedStory> seed_stories(const json& events) {
    std::vector<SeedStory> stories;
    for (const auto& event : events) {
        const auto seed = event.value("seed", "");
        if (event.value("event", "") == "decision" && event.value("command", "") == "germinate") {
            SeedStory story;
            story.seed = seed;
            story.blueprint = event.value("blueprint", "");
            story.anchor = event.value("anchor", "");
            story.germinated = event.value("step", std::int64_t{0});
            story.why_germinated = event.value("reason", "");
            stories.push_back(std::move(story));
            continue;
        }
        const auto outcome = outcome_of(event);
        const auto mine = std::find_if(stories.rbegin(), stories.rend(),
                                       [&](const SeedStory& s) { return s.seed == seed; });
        if (outcome.empty() || seed.empty() || mine == stories.rend()) continue;
        mine->outcome = outcome;
        mine->ended = event.value("step", std::int64_t{0});
        mine->why_ended = event.value("reason", "");
    }
    return stories;
}

}  // namespace esper::cli
