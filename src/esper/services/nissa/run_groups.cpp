#include "esper/services/nissa/run_groups.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "esper/services/records/fields.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr const char* kName = "run.name";
constexpr const char* kSeed = "run.seed";

// What has to be equal in runs of one group.
std::string sameness(const RunFacts& run) {
    auto settings = run.settings;
    settings.erase(kName);
    settings.erase(kSeed);
    const json all{settings, run.data, records::text_of(run.row, "task"),
                   records::integer_of(run.row, "parameters_initial")};
    return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::vector<std::string> differing_keys(const std::vector<RunFacts>& runs) {
    std::set<std::string> keys;
    for (const auto& run : runs)
        for (const auto& [key, value] : run.settings.items()) keys.insert(key);
    keys.erase(kName);
    std::vector<std::string> differing;
    for (const auto& key : keys) {
        const auto first = records::text_of(runs.front().settings, key);
        if (std::ranges::any_of(runs, [&](const auto& run) {
                return records::text_of(run.settings, key) != first;
            }))
            differing.push_back(key);
    }
    return differing;
}

std::vector<std::vector<std::size_t>> group_by_seed(const std::vector<RunFacts>& runs) {
    std::map<std::string, std::size_t> numbers;
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto [it, is_new] = numbers.emplace(sameness(runs[i]), groups.size());
        if (is_new) groups.emplace_back();
        groups[it->second].push_back(i);
    }
    return groups;
}

}  // namespace esper::nissa
