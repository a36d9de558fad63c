#include "esper/cli/report_data.h"

#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/cli/run_state.h"
#include "esper/program/cost/cost.h"
#include "esper/cli/report_page.h"
#include "esper/cli/run_files.h"

namespace esper::cli {

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

// Anchors keep their names through every edit, so only the seeds are told anew each time.
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
    return {"operator replaced", ""};
}

Result<json> topologies(const std::vector<graph::JournalEntry>& journal) {
    json all = json::array();
    graph::ProgramPtr program;
    std::map<std::string, std::string> blueprints;
    for (const auto& entry : journal) {
        EditText edit{"start", ""};
        if (entry.initial) {
            program = entry.initial;
        } else {
            edit = name_of(*entry.edit);
            if (const auto* insert = std::get_if<graph::InsertSeed>(&*entry.edit))
                blueprints[insert->seed] = insert->blueprint_name;
            ESPER_TRY(program, graph::apply(*program, *entry.edit));
        }
        ESPER_TRY(auto item, topology_of(*program, blueprints));
        item["step"] = entry.step;
        item["reason"] = entry.reason;
        item["edit"] = edit.kind;
        item["seed"] = edit.seed;
        all.push_back(std::move(item));
    }
    return all;
}

Result<json> gather(const std::filesystem::path& folder) {
    ESPER_TRY(const auto run, read_run_json(folder));
    ESPER_TRY(const auto journal, load_journal(folder));
    ESPER_TRY(const auto topology, topologies(journal));
    return json{{"run", run},
                {"metrics", read_metrics(folder)},
                {"events", read_events(folder)},
                {"anchors", journal.empty() ? json::array() : anchors_of(*journal[0].initial)},
                {"topology", topology}};
}

}  // namespace

Status write_report(const std::filesystem::path& folder, const std::filesystem::path& file) {
    ESPER_TRY(const auto data, gather(folder));
    const auto title = "Esper: " + data["run"].value("name", "run");
    const auto replace = json::error_handler_t::replace;
    return write_file_atomic(file, report_page(title, data.dump(-1, ' ', false, replace)));
}

}  // namespace esper::cli
