#include "esper/services/tolaria/learn/layer_rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "esper/base/text.h"
#include "esper/configs/parameter_group.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {
namespace {

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// `blocks.3` of `blocks.3-2.mlp.fc.weight`; empty where no word is a number.
std::string numbered_part(const std::string& name) {
    std::string path;
    for (const auto& word : split(name, '.')) {
        const auto number = word.substr(0, word.find('-'));
        path += (path.empty() ? "" : ".") + (is_digits(number) ? number : word);
        if (is_digits(number)) return path;
    }
    return "";
}

std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t kShown = 8;
    const auto shown = std::span(names).first(std::min(kShown, names.size()));
    return join(shown, ", ") +
           (names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "");
}

bool is_of_a_seed(const graph::Program& program, const std::string& name) {
    return std::ranges::any_of(graph::seeds_in(program), [&](const auto& seed) {
        return name.starts_with(graph::seed_scope(seed.seed) + ".");
    });
}

}  // namespace

std::map<std::string, double, std::less<>> layer_rates(const graph::Program& program,
                                                       double decay) {
    // In the order in which the network uses them, whatever the order of their declarations.
    std::vector<std::string> used;
    for (const auto& instruction : program.instructions())
        for (const auto& argument : instruction.args)
            graph::for_each_value(argument, [&](graph::ValueId id) {
                const auto& value = program.value(id);
                if (value.kind != graph::Value::Kind::kParameter) return;
                const auto& name = program.parameters()[value.index].name;
                if (!is_of_a_seed(program, name)) used.push_back(name);
            });
    std::vector<std::string> layers;
    for (const auto& name : used)
        if (const auto part = numbered_part(name);
            !part.empty() && std::ranges::find(layers, part) == layers.end())
            layers.push_back(part);
    std::map<std::string, double, std::less<>> rates;
    double last = 0;
    bool begun = false;
    for (const auto& name : used) {
        const auto part = numbered_part(name);
        const auto place = std::ranges::find(layers, part) - layers.begin();
        begun = begun || !part.empty();
        const auto after = static_cast<double>(layers.size() + 1);
        const double layer = !part.empty() ? static_cast<double>(place) + 1 : begun ? after : 0.0;
        if (rates.try_emplace(name, layer).second) last = std::max(last, layer);
    }
    for (auto& [name, rate] : rates) rate = std::pow(decay, last - rate);
    return rates;
}

Status check_parameter_keys(const configs::OptimizationConfig& config,
                            const graph::Program& program) {
    std::vector<std::string> names;
    bool numbered = false;
    for (const auto& parameter : program.parameters()) {
        names.push_back(parameter.name);
        numbered = numbered || !numbered_part(parameter.name).empty();
    }
    if (config.layer_decay < 1 && !numbered)
        return fail(
            TolariaError::kUnsupported,
            fmt::format("optimization.layer_decay: expected a network with numbered layers, "
                        "such as 'blocks.0.mlp.weight', but its parameters are {}; set it "
                        "to 1, or give parts rates of their own by optimization.groups",
                        some_of(names)));
    for (const auto& text : config.groups) {
        const auto group = configs::ParameterGroup::parse(text);
        if (!group || group->pattern.starts_with("seed")) continue;
        const bool fits = std::ranges::any_of(
            names, [&](const auto& name) { return glob_match(group->pattern, name); });
        if (!fits)
            return fail(TolariaError::kUnsupported,
                        fmt::format("optimization.groups: no parameter fits {}; there are {}. `*` "
                                    "stops at a dot, `**` does not",
                                    quote_with_suggestion(group->pattern, names), some_of(names)));
    }
    return {};
}

}  // namespace esper::tolaria
