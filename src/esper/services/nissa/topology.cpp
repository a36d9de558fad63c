#include "esper/services/nissa/topology.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/program/edits/journal.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

struct Place {
    std::string seed, anchor, blueprint, mode;
    std::int64_t parameters = 0;
};

class Growth {
  public:
    json take(const graph::JournalEntry& entry) {
        json item{{"step", entry.step}, {"reason", entry.reason}, {"seed", ""}};
        if (entry.initial) {
            parameters_ = entry.initial->parameter_count();
            item["edit"] = "start";
        } else {
            std::visit([&](const auto& edit) { carry_out(edit, item); }, *entry.edit);
        }
        item["parameters"] = parameters_ ? json(*parameters_) : json();
        item["seeds"] = json::array();
        for (const auto& place : places_)
            item["seeds"].push_back({{"seed", place.seed},
                                     {"anchor", place.anchor},
                                     {"blueprint", place.blueprint},
                                     {"mode", place.mode}});
        return item;
    }

  private:
    void carry_out(const graph::InsertSeed& edit, json& item) {
        const auto own = edit.blueprint ? edit.blueprint->parameter_count() : 0;
        places_.push_back({edit.seed, edit.anchor, edit.blueprint_name,
                           std::string(graph::seed_mode_name(graph::SeedMode::kIsolated)), own});
        if (parameters_) *parameters_ += own;
        name(item, "germinated", edit.seed);
    }
    void carry_out(const graph::SetSeedMode& edit, json& item) {
        const std::string mode(graph::seed_mode_name(edit.mode));
        for (auto& place : places_)
            if (place.seed == edit.seed) place.mode = mode;
        name(item, mode, edit.seed);
    }
    void carry_out(const graph::RemoveSeed& edit, json& item) {
        for (const auto& place : places_)
            if (place.seed == edit.seed && parameters_) *parameters_ -= place.parameters;
        std::erase_if(places_, [&](const auto& place) { return place.seed == edit.seed; });
        name(item, "removed", edit.seed);
    }
    static void carry_out(const graph::ReplaceOperator&, json& item) {
        name(item, "operator replaced", "");
    }
    void carry_out(const graph::SplitBlock& edit, json& item) {
        parameters_.reset();
        name(item, "split", "");
        item["split"] = {{"block", edit.block}, {"copy", edit.copy}};
    }
    static void name(json& item, std::string_view edit, std::string_view seed) {
        item["edit"] = edit;
        item["seed"] = seed;
    }

    std::vector<Place> places_;
    std::optional<std::int64_t> parameters_;  ///< nothing once a block was split
};

}  // namespace

Result<json> topology_of(std::string_view journal) {
    const auto end = journal.rfind('\n');
    journal = journal.substr(0, end == std::string_view::npos ? 0 : end + 1);
    json anchors = json::array(), edits = json::array();
    if (journal.empty()) return json{{"anchors", anchors}, {"edits", edits}};
    ESPER_TRY(const auto entries, graph::parse_journal(journal));
    for (const auto& anchor : entries.front().initial->anchors())
        anchors.push_back({{"name", anchor.name},
                           {"kind", graph::anchor_kind_name(anchor.kind)},
                           {"features", anchor.features}});
    Growth growth;
    for (const auto& entry : entries) edits.push_back(growth.take(entry));
    return json{{"anchors", std::move(anchors)}, {"edits", std::move(edits)}};
}

}  // namespace esper::nissa
