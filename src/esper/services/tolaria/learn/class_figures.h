#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace esper::tolaria {

/// What a part's scores say of classes or labels beyond their accuracy.
struct ClassFigures {
    /// Mean over the classes that occur or are said of 2·hits / (2·hits + misses + false alarms).
    double f1 = 0;
    /// Area under the ROC curve: of two classes that of the second, of more the mean over classes,
    /// each against the rest, of labels the mean over labels. Nothing where none has both kinds.
    std::optional<double> auc;
    /// {classes, classes}: of the examples of a row's class, how many were taken for the column's.
    /// Empty for labels.
    std::vector<std::uint64_t> confusion;
};

/// `scores` are logits, {n, classes}; `classes` the right class of each.
ClassFigures figures_of_classes(std::span<const float> scores,
                                std::span<const std::int64_t> classes, std::size_t class_count);
/// `holds` are {n, labels}, 1 where a label holds; it is said to hold where its logit is above 0.
ClassFigures figures_of_labels(std::span<const float> scores, std::span<const float> holds,
                               std::size_t labels);

/// Area under the ROC curve, ties counted half; nothing without both kinds.
std::optional<double> area_under_curve(std::vector<double> scores,
                                       const std::vector<bool>& positive);

}  // namespace esper::tolaria
