#include "esper/services/tolaria/learn/layer_rates.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "esper/base/text.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"

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
    const auto last = static_cast<double>(layers.size() + 1);
    std::map<std::string, double, std::less<>> rates;
    bool begun = false;
    for (const auto& name : used) {
        const auto part = numbered_part(name);
        const auto place = std::ranges::find(layers, part) - layers.begin();
        begun = begun || !part.empty();
        const double layer = !part.empty() ? static_cast<double>(place) + 1 : begun ? last : 0.0;
        rates.try_emplace(name, std::pow(decay, last - layer));
    }
    return rates;
}

}  // namespace esper::tolaria
