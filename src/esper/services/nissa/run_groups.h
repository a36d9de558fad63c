#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace esper::nissa {

/// A run as others are compared with it: its row of the list (Run::row, parsed), the keys of its
/// configuration as text (Run::settings) and the fingerprint of its data.
struct RunFacts {
    const nlohmann::json& row;
    const nlohmann::json& settings;
    const std::string& data;
};

/// The keys of the configuration that are not the same in all of them, sorted; the run's name,
/// which says nothing about it, is left out.
std::vector<std::string> differing_keys(const std::vector<RunFacts>& runs);

/// The runs by number, those together that differ by nothing but their seed: same configuration,
/// data and first network. In the order of each group's first run.
std::vector<std::vector<std::size_t>> group_by_seed(const std::vector<RunFacts>& runs);

}  // namespace esper::nissa
