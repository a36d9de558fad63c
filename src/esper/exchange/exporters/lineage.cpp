#include "esper/exchange/exporters/lineage.h"

#include <map>
#include <nlohmann/json.hpp>

namespace esper::graph {

using nlohmann::json;

namespace {

// A blueprint itself is left out: its hash names it, the journal holds it.
json brief(const Edit& edit) {
    if (const auto* insert = std::get_if<InsertSeed>(&edit))
        return {{"edit", "insert_seed"},
                {"seed", insert->seed},
                {"anchor", insert->anchor},
                {"blueprint", insert->blueprint_name},
                {"blueprint_sha256", insert->blueprint->hash().hex()}};
    if (const auto* mode = std::get_if<SetSeedMode>(&edit))
        return {
            {"edit", "set_seed_mode"}, {"seed", mode->seed}, {"mode", seed_mode_name(mode->mode)}};
    if (const auto* remove = std::get_if<RemoveSeed>(&edit))
        return {{"edit", "remove_seed"}, {"seed", remove->seed}};
    if (const auto* split = std::get_if<SplitBlock>(&edit))
        return {{"edit", "split_block"}, {"block", split->block}, {"copy", split->copy}};
    const auto& replace = std::get<ReplaceOperator>(edit);
    return {{"edit", "replace_operator"},
            {"instruction", replace.instruction},
            {"from", replace.expected_op},
            {"to", replace.new_op}};
}

}  // namespace

Result<std::string> lineage_json(const Program& program, const std::vector<JournalEntry>& journal,
                                 const std::optional<LineageOrigin>& origin) {
    if (!journal.empty() && journal.back().program_sha256 != program.hash().hex())
        return fail(GraphError::kHashMismatch,
                    "the journal ends with the Program " +
                        journal.back().program_sha256.substr(0, 12) + ", this network is " +
                        program.hash().hex().substr(0, 12) +
                        "; give the journal that leads to it, cut at its checkpoint");
    std::map<std::string, json> born;
    json edits = json::array();
    for (const auto& entry : journal) {
        if (!entry.edit) continue;
        auto item = brief(*entry.edit);
        item["step"] = entry.step;
        item["reason"] = entry.reason;
        item["program_sha256"] = entry.program_sha256;
        if (item["edit"] == "insert_seed") born[item["seed"].get<std::string>()] = item;
        edits.push_back(std::move(item));
    }
    json seeds = json::array();
    for (const auto& seed : seeds_in(program)) {
        json item{
            {"seed", seed.seed}, {"anchor", seed.anchor}, {"mode", seed_mode_name(seed.mode)}};
        if (auto it = born.find(seed.seed); it != born.end())
            for (const auto* key : {"blueprint", "blueprint_sha256", "step"})
                item[key] = it->second[key];
        seeds.push_back(std::move(item));
    }
    json lineage{{"program", program.name()},
                 {"program_sha256", program.hash().hex()},
                 {"parameters", program.parameter_count()},
                 {"seeds", seeds},
                 {"edits", edits}};
    if (!journal.empty() && journal.front().initial) {
        lineage["initial_program_sha256"] = journal.front().initial->hash().hex();
        lineage["initial_parameters"] = journal.front().initial->parameter_count();
        lineage["journal_hash"] = journal.back().hash;
    }
    if (origin) {
        lineage["checkpoint"] = origin->checkpoint;
        lineage["step"] = origin->step;
    }
    return lineage.dump(2) + "\n";
}

}  // namespace esper::graph
