#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

struct Evaluation;

/// How good a network is, in the figures of its task. Nothing where a figure does not apply.
struct TaskMetrics {
    /// Share of right classes, of right next tokens, or of labels that are right.
    std::optional<double> accuracy;
    std::optional<double> top5;           ///< share of classes among the five best of many
    std::optional<double> f1;             ///< ClassFigures
    std::optional<double> auc;            ///< ClassFigures
    std::optional<double> rmse;           ///< in the unit of what is predicted
    std::optional<double> perplexity;     ///< e to the loss of a token
    std::optional<double> bits_per_byte;  ///< of the text's UTF-8
};

/// From the mean loss of a part and, where the task has them, its accuracies.
TaskMetrics metrics_of(const DatasetInfo& data, double loss, std::optional<double> accuracy,
                       std::optional<double> top5 = std::nullopt);

/// The same of an evaluation, with its class figures where it has some.
TaskMetrics metrics_of(const DatasetInfo& data, const Evaluation& found);

/// {"classes": names, "rows": counts} of an evaluation with a confusion matrix; null of one
/// without, and of more than 30 classes.
nlohmann::json confusion_of(const DatasetInfo& data, const Evaluation& found);

/// An object with the figures that apply: accuracy, top5_accuracy, f1, auc, rmse, perplexity,
/// bits_per_byte.
nlohmann::json to_json(const TaskMetrics& metrics);

/// `accuracy 93.10 %, top-5 99.02 %`, `RMSE 3.214`, …
std::string in_words(const TaskMetrics& metrics);

}  // namespace esper::tolaria
