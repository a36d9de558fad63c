#include "esper/services/records/report_data.h"

#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/program/cost/cost.h"
#include "esper/services/records/lineage_check.h"
#include "esper/services/records/report_page.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/run_journal.h"
#include "esper/services/records/seed_stories.h"
#include "esper/services/records/split_stories.h"

namespace esper::records {

namespace {

using nlohmann::json;

json anchors_of(const graph::Program& program) {
    json anchors = json::array();
    for (const auto& anchor : program.anchors())
        anchors.push_back({{"name", anchor.name},
                           {"kind", graph::anchor_kind_name(anchor.kind)},
                           {"features", anchor.features}});
    return anchors;
}

// Anchors keep their names through every edit, and only a split adds some.
Result<json> topology_of(const graph::Program& program,
                         const std::map<std::string, std::string>& blueprints) {
    json seeds = json::array();
    for (const auto& seed : graph::seeds_in(program)) {
        const auto it = blueprints.find(seed.seed);
        seeds.push_back({{"seed", seed.seed},
                         {"anchor", seed.anchor},
                         {"mode", graph::seed_mode_name(seed.mode)},
                         {"blueprint", it == blueprints.end() ? "" : it->second}});
    }
    ESPER_TRY(const auto cost, graph::count_cost(program));
    return json{
        {"seeds", seeds}, {"parameters", program.parameter_count()}, {"flops", cost.forward_flops}};
}

struct EditText {
    std::string kind;
    std::string seed;
};

EditText name_of(const graph::Edit& edit) {
    if (const auto* insert = std::get_if<graph::InsertSeed>(&edit))
        return {"germinated", insert->seed};
    if (const auto* remove = std::get_if<graph::RemoveSeed>(&edit))
        return {"removed", remove->seed};
    if (const auto* mode = std::get_if<graph::SetSeedMode>(&edit))
        return {std::string(graph::seed_mode_name(mode->mode)), mode->seed};
    if (const auto* split = std::get_if<graph::SplitBlock>(&edit))
        return {"block " + split->block + " was split", ""};
    return {"operator replaced", ""};
}

Result<json> topologies(const std::vector<graph::JournalEntry>& journal) {
    json all = json::array();
    graph::ProgramPtr program;
    std::map<std::string, std::string> blueprints;
    for (const auto& entry : journal) {
        EditText edit{"start", ""};
        bool splits = false;
        if (entry.initial) {
            program = entry.initial;
        } else {
            edit = name_of(*entry.edit);
            splits = std::holds_alternative<graph::SplitBlock>(*entry.edit);
            if (const auto* insert = std::get_if<graph::InsertSeed>(&*entry.edit))
                blueprints[insert->seed] = insert->blueprint_name;
            ESPER_TRY(program, graph::apply(*program, *entry.edit));
        }
        ESPER_TRY(auto item, topology_of(*program, blueprints));
        item["step"] = entry.step;
        item["reason"] = entry.reason;
        item["edit"] = edit.kind;
        item["seed"] = edit.seed;
        if (splits) item["anchors"] = anchors_of(*program);
        all.push_back(std::move(item));
    }
    return all;
}

Result<json> gather(const std::filesystem::path& folder) {
    ESPER_TRY(const auto run, read_run_json(folder));
    // A run may go on meanwhile: what it checks against must be older than the journal.
    const auto head = newest_checkpoint(folder);
    ESPER_TRY(const auto journal, read_run_journal(folder));
    ESPER_CHECK_STATUS(check_history(journal, head, folder, text_of(run, "program_sha256")));
    ESPER_TRY(const auto topology, topologies(journal));
    ESPER_TRY(const auto events, read_events(folder));
    ESPER_TRY(const auto metrics, read_metrics(folder));
    ESPER_TRY(const auto config, read_config_text(folder));
    json rows = json::array(), all = json::array(), lives = json::array(), splits = json::array();
    for (const auto& row : metrics) rows.push_back(to_json(row));
    for (const auto& event : events) all.push_back(event.content());
    for (const auto& story : seed_stories(events)) lives.push_back(to_json(story));
    for (const auto& story : split_stories(events)) splits.push_back(to_json(story));
    return json{{"run", run},
                {"config", config},
                {"metrics", std::move(rows)},
                {"events", std::move(all)},
                {"lives", std::move(lives)},
                {"splits", std::move(splits)},
                {"anchors", journal.empty() ? json::array() : anchors_of(*journal[0].initial)},
                {"topology", topology}};
}

}  // namespace

Status write_report(const std::filesystem::path& folder, const std::filesystem::path& file) {
    ESPER_TRY(const auto data, gather(folder));
    const auto replace = json::error_handler_t::replace;
    return write_file_atomic(file, report_page("Esper: " + text_of(data["run"], "name"),
                                               data.dump(-1, ' ', false, replace)));
}

}  // namespace esper::records
