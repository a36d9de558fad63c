#include "esper/services/records/seed_stories.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

namespace esper::records {

using nlohmann::json;

namespace {

constexpr std::pair<std::string_view, std::string_view> kPhases[] = {
    {"graft", "blending in"},
    {"stabilize", "settling"},
    {"evaluate", "on trial"},
    {"fine_tune", "learning with the host"}};

// Where seeds are moved by hand no decision is written, only what became of them.
constexpr std::pair<std::string_view, std::string_view> kStates[] = {
    {"GRAFTING", "blending in"},
    {"STABILIZATION", "settling"},
    {"EVALUATING", "on trial"},
    {"FINE_TUNING", "learning with the host"}};

template <typename Table>
std::string_view find_in(const Table& table, std::string_view key) {
    for (const auto& [name, value] : table)
        if (name == key) return value;
    return "";
}

std::optional<SeedOutcome> outcome_of(const Event& event) {
    if (event.is("fault")) return SeedOutcome::kCulled;
    const auto what = event.text(event.is("transition") ? "to" : "command");
    if (what == "fossilize" || what == "FOSSILIZED") return SeedOutcome::kKept;
    if (what == "cull" || what == "CULLED") return SeedOutcome::kCulled;
    if (what == "cancel" || what == "CANCELLED") return SeedOutcome::kCancelled;
    return std::nullopt;
}

class Storyteller {
  public:
    std::vector<SeedStory> tell(const std::vector<Event>& events) {
        for (std::size_t i = 0; i < events.size(); ++i) take(events[i], i);
        return std::move(stories_);
    }

  private:
    void take(const Event& event, std::size_t index) {
        if (event.is("rollback")) return go_back(event);
        const bool decision = event.is("decision"), transition = event.is("transition");
        if (decision && event.text("command") == "germinate") return be_born(event, index);
        auto* story = find(event.text("seed"));
        if (story == nullptr) {
            const bool named = !event.text("seed").empty();
            if (named && transition && event.text("to") == "GERMINATED") be_born(event, index);
            return;
        }
        if (event.is("gate")) story->gates.push_back(index);
        if (decision) story->decisions.push_back(index);
        if (decision || transition) begin_phase(*story, event, transition);
        if (!decision && !transition && !event.is("fault")) return;
        const auto outcome = outcome_of(event);
        if (!outcome) return;
        if (story->outcome == SeedOutcome::kAlive) {
            story->outcome = *outcome;
            story->ended = event.step();
        }
        // A transition does not say why: the decision before it does, or the fault after it.
        if (story->why_ended.empty()) story->why_ended = event.text("reason");
    }

    void be_born(const Event& event, std::size_t index) {
        SeedStory story;
        story.seed = event.text("seed");
        story.blueprint = event.text("blueprint");
        story.anchor = event.text("anchor");
        if (event.content().contains("slot")) story.slot = event.integer("slot");
        story.germinated = event.step();
        story.why_germinated = event.text("reason");
        story.phases.push_back({"learning alone", event.step()});
        story.birth = index;
        story.decisions.push_back(index);
        stories_.push_back(std::move(story));
    }

    static void begin_phase(SeedStory& story, const Event& event, bool transition) {
        const auto name = transition ? find_in(kStates, event.text("to"))
                                     : find_in(kPhases, event.text("command"));
        if (name.empty() || story.phases.back().name == name) return;
        story.phases.push_back({std::string(name), event.step()});
    }

    void go_back(const Event& event) {
        const auto to = event.integer("to_step");
        const auto why = event.text("reason");
        std::string blamed;
        if (const auto it = event.content().find("failed_seed"); it != event.content().end()) {
            blamed = text_of(*it, "seed");
            // Every rollback shuts again what an earlier one has shut.
            shut_.insert(integer_of(*it, "layer_index"));
        }
        const auto end = [&](SeedStory& story, std::string reason) {
            story.outcome = SeedOutcome::kRolledBack;
            story.ended = event.step();
            story.why_ended = std::move(reason);
        };
        for (auto& story : stories_) {
            if (story.outcome == SeedOutcome::kRolledBack && story.ended <= to) continue;
            if (story.outcome == SeedOutcome::kRolledBack && story.germinated > to) continue;
            if (story.seed == blamed) {
                end(story, "it was held to be at fault: " + why);
            } else if (story.germinated > to) {
                end(story, why);
            } else {
                if (story.ended > to) revive(story);
                std::erase_if(story.phases, [&](const auto& phase) { return phase.from > to; });
                if (story.outcome == SeedOutcome::kAlive && shut_.contains(story.slot))
                    end(story, "its slot was shut: " + why);
            }
        }
    }

    static void revive(SeedStory& story) {
        story.outcome = SeedOutcome::kAlive;
        story.ended = 0;
        story.why_ended.clear();
    }

    SeedStory* find(const std::string& seed) {
        if (seed.empty()) return nullptr;
        const auto it = std::find_if(stories_.rbegin(), stories_.rend(),
                                     [&](const SeedStory& s) { return s.seed == seed; });
        return it == stories_.rend() ? nullptr : &*it;
    }

    std::vector<SeedStory> stories_;
    std::set<std::int64_t> shut_;  ///< slots
};

}  // namespace

std::string_view to_text(SeedOutcome outcome) {
    switch (outcome) {
        case SeedOutcome::kAlive:
            return "alive";
        case SeedOutcome::kKept:
            return "kept";
        case SeedOutcome::kCulled:
            return "culled";
        case SeedOutcome::kCancelled:
            return "cancelled";
        case SeedOutcome::kRolledBack:
            return "rolled back";
    }
    return "?";
}

std::vector<SeedStory> seed_stories(const std::vector<Event>& events) {
    return Storyteller().tell(events);
}

std::int64_t count(const std::vector<SeedStory>& stories, SeedOutcome outcome) {
    return std::count_if(stories.begin(), stories.end(),
                         [&](const SeedStory& s) { return s.outcome == outcome; });
}

json to_json(const SeedStory& story) {
    json phases = json::array();
    for (const auto& phase : story.phases)
        phases.push_back({{"name", phase.name}, {"from", phase.from}});
    return {{"seed", story.seed},
            {"blueprint", story.blueprint},
            {"anchor", story.anchor},
            {"germinated", story.germinated},
            {"why_germinated", story.why_germinated},
            {"outcome", to_text(story.outcome)},
            {"ended", story.ended},
            {"reason", story.why_ended},
            {"phases", phases},
            {"decisions", story.decisions},
            {"gates", story.gates}};
}

}  // namespace esper::records
