#include "esper/cli/figures.h"

#include <fmt/format.h>

#include "esper/services/records/fields.h"

namespace esper::cli {

using nlohmann::json;

std::multimap<std::int64_t, double> values_by_seed(const SeedGroup& group, const Figure& figure) {
    std::multimap<std::int64_t, double> found;
    for (const auto* run : group)
        if (const auto value = records::number_of(run->row, figure.key))
            found.emplace(records::integer_of(run->row, "seed"), *value);
    return found;
}

std::vector<double> values_of(const SeedGroup& group, const Figure& figure) {
    std::vector<double> values;
    for (const auto& [seed, value] : values_by_seed(group, figure)) values.push_back(value);
    return values;
}

std::string with_interval(const records::Estimate& estimate, const Figure& figure) {
    if (estimate.n == 0) return "-";
    const auto number = [&](double value) {
        return figure.is_share ? fmt::format("{:.2f}", 100 * value) : fmt::format("{:.4f}", value);
    };
    auto text = number(estimate.mean);
    if (estimate.half_width) text += " ± " + number(*estimate.half_width);
    return figure.is_share ? text + " %" : text;
}

json figures_json(const SeedGroup& group) {
    json figures = json::object();
    for (const auto& figure : kFigures) {
        const auto estimate = records::estimate_mean(values_of(group, figure));
        if (estimate.n == 0) continue;
        figures[figure.key] = {
            {"n", estimate.n},
            {"mean", estimate.mean},
            {"half_width", estimate.half_width ? json(*estimate.half_width) : json()}};
    }
    return figures;
}

}  // namespace esper::cli
