#include "esper/services/records/split_stories.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::records {

std::vector<SplitStory> split_stories(const std::vector<Event>& events) {
    std::vector<SplitStory> stories;
    for (const auto& event : events) {
        if (event.is("split"))
            stories.push_back({event.text("block"), event.text("copy"), event.step(),
                               event.text("reason"), -1, ""});
        if (!event.is("rollback")) continue;
        for (auto& story : stories) {
            if (story.undone >= 0 || story.step < event.integer("to_step")) continue;
            story.undone = event.step();
            story.why_undone = event.text("reason");
        }
    }
    return stories;
}

std::string in_words(const SplitStory& story) {
    auto text = fmt::format("block {} was split into two at step {}: {}", story.block, story.step,
                            story.why);
    if (story.undone >= 0)
        text += fmt::format("; taken back at step {}: {}", story.undone, story.why_undone);
    return text;
}

nlohmann::json to_json(const SplitStory& story) {
    nlohmann::json json{{"block", story.block},
                        {"copy", story.copy},
                        {"step", story.step},
                        {"reason", story.why},
                        {"words", in_words(story)}};
    if (story.undone >= 0) {
        json["undone"] = story.undone;
        json["why_undone"] = story.why_undone;
    }
    return json;
}

}  // namespace esper::records
