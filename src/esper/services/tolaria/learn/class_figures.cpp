#include "esper/services/tolaria/learn/class_figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace esper::tolaria {
namespace {

struct Counts {
    double hits = 0;
    double misses = 0;
    double false_alarms = 0;

    bool occur() const { return hits + misses + false_alarms > 0; }
    double f1() const { return 2 * hits / (2 * hits + misses + false_alarms); }
};

double mean_f1(const std::vector<Counts>& counts) {
    double sum = 0;
    double n = 0;
    for (const auto& c : counts) {
        if (!c.occur()) continue;
        sum += c.f1();
        ++n;
    }
    return n > 0 ? sum / n : 0;
}

/// A mean of what there is.
struct Mean {
    double sum = 0;
    double n = 0;
    void take(const std::optional<double>& value) {
        if (!value) return;
        sum += *value;
        ++n;
    }
    std::optional<double> get() const { return n > 0 ? std::optional(sum / n) : std::nullopt; }
};

// Probabilities, because the logits of different examples cannot be compared.
std::vector<double> softmax(std::span<const float> logits) {
    const double highest = *std::ranges::max_element(logits);
    std::vector<double> out;
    double sum = 0;
    for (const float logit : logits) {
        out.push_back(std::exp(logit - highest));
        sum += out.back();
    }
    for (auto& p : out) p /= sum;
    return out;
}

}  // namespace

std::optional<double> area_under_curve(std::vector<double> scores,
                                       const std::vector<bool>& positive) {
    const std::size_t n = scores.size();
    if (std::ranges::any_of(scores, [](double s) { return std::isnan(s); })) return std::nullopt;
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return scores[i]; });
    double positives = 0;
    double rank_sum = 0;  // of positives, ties at their mean rank
    for (std::size_t from = 0; from < n;) {
        std::size_t to = from;
        double here = 0;
        while (to < n && scores[order[to]] == scores[order[from]]) {
            here += positive[order[to]] ? 1 : 0;
            ++to;
        }
        rank_sum += here * (static_cast<double>(from + to) + 1) / 2;
        positives += here;
        from = to;
    }
    const double negatives = static_cast<double>(n) - positives;
    if (positives == 0 || negatives == 0) return std::nullopt;
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

ClassFigures figures_of_classes(std::span<const float> scores,
                                std::span<const std::int64_t> classes, std::size_t class_count) {
    const std::size_t n = classes.size();
    const std::size_t outputs = n == 0 ? class_count : scores.size() / n;
    ClassFigures figures;
    figures.confusion.assign(class_count * class_count, 0);
    std::vector<std::vector<double>> shares(class_count);
    for (std::size_t i = 0; i < n; ++i) {
        // A host may have more outputs than the data have classes.
        const auto row = scores.subspan(i * outputs, class_count);
        const auto said = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
        ++figures.confusion[static_cast<std::size_t>(classes[i]) * class_count + said];
        const auto p = softmax(row);
        for (std::size_t c = 0; c < class_count; ++c) shares[c].push_back(p[c]);
    }
    std::vector<Counts> counts(class_count);
    for (std::size_t right = 0; right < class_count; ++right)
        for (std::size_t said = 0; said < class_count; ++said) {
            const auto times = static_cast<double>(figures.confusion[right * class_count + said]);
            if (right == said) counts[right].hits += times;
            if (right != said) counts[right].misses += times;
            if (right != said) counts[said].false_alarms += times;
        }
    figures.f1 = mean_f1(counts);
    Mean areas;
    for (std::size_t c = class_count == 2 ? 1 : 0; c < class_count; ++c) {
        std::vector<bool> positive(n);
        for (std::size_t i = 0; i < n; ++i)
            positive[i] = classes[i] == static_cast<std::int64_t>(c);
        areas.take(area_under_curve(std::move(shares[c]), positive));
    }
    figures.auc = areas.get();
    return figures;
}

ClassFigures figures_of_labels(std::span<const float> scores, std::span<const float> holds,
                               std::size_t labels) {
    const std::size_t n = holds.size() / labels;
    const std::size_t outputs = n == 0 ? labels : scores.size() / n;
    ClassFigures figures;
    std::vector<Counts> counts(labels);
    Mean areas;
    for (std::size_t l = 0; l < labels; ++l) {
        std::vector<double> column;
        std::vector<bool> positive;
        for (std::size_t i = 0; i < n; ++i) {
            const float score = scores[i * outputs + l];
            const bool right = holds[i * labels + l] > 0;
            const bool said = score > 0;
            counts[l].hits += right && said ? 1 : 0;
            counts[l].misses += right && !said ? 1 : 0;
            counts[l].false_alarms += !right && said ? 1 : 0;
            column.push_back(score);
            positive.push_back(right);
        }
        areas.take(area_under_curve(std::move(column), positive));
    }
    figures.f1 = mean_f1(counts);
    figures.auc = areas.get();
    return figures;
}

}  // namespace esper::tolaria
