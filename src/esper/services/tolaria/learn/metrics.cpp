#include "esper/services/tolaria/learn/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <vector>

#include "esper/base/text.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::tolaria {

TaskMetrics metrics_of(const DatasetInfo& data, double loss, std::optional<double> accuracy,
                       std::optional<double> top5) {
    TaskMetrics metrics;
    metrics.accuracy = accuracy;
    metrics.top5 = top5;
    if (data.task == Task::kRegression) metrics.rmse = std::sqrt(loss) * data.target_deviation;
    if (data.task == Task::kNextToken) {
        metrics.perplexity = std::exp(loss);
        if (data.bytes_per_token > 0)
            metrics.bits_per_byte = loss / std::numbers::ln2 / data.bytes_per_token;
    }
    return metrics;
}

TaskMetrics metrics_of(const DatasetInfo& data, const Evaluation& found) {
    auto metrics = metrics_of(data, found.loss, found.accuracy, found.top5);
    if (!found.classes) return metrics;
    metrics.f1 = found.classes->f1;
    metrics.auc = found.classes->auc;
    return metrics;
}

nlohmann::json confusion_of(const DatasetInfo& data, const Evaluation& found) {
    constexpr std::size_t kMostClasses = 30;
    const auto classes = static_cast<std::size_t>(data.classes);
    if (!found.classes || found.classes->confusion.empty() || classes > kMostClasses) return {};
    auto names = nlohmann::json::array();
    auto rows = nlohmann::json::array();
    for (std::size_t c = 0; c < classes; ++c) {
        names.push_back(c < data.class_names.size() ? records::printable(data.class_names[c])
                                                    : fmt::format("{}", c));
        auto row = nlohmann::json::array();
        for (std::size_t said = 0; said < classes; ++said)
            row.push_back(found.classes->confusion[c * classes + said]);
        rows.push_back(std::move(row));
    }
    return {{"classes", std::move(names)}, {"rows", std::move(rows)}};
}

nlohmann::json to_json(const TaskMetrics& metrics) {
    auto object = nlohmann::json::object();
    const auto add = [&](const char* name, const std::optional<double>& value) {
        if (value) object[name] = *value;
    };
    add("accuracy", metrics.accuracy);
    add("top5_accuracy", metrics.top5);
    add("f1", metrics.f1);
    add("auc", metrics.auc);
    add("rmse", metrics.rmse);
    add("perplexity", metrics.perplexity);
    add("bits_per_byte", metrics.bits_per_byte);
    return object;
}

std::string in_words(const TaskMetrics& metrics) {
    std::vector<std::string> words;
    if (metrics.accuracy)
        words.push_back(fmt::format("accuracy {:.2f} %", *metrics.accuracy * 100));
    if (metrics.top5) words.push_back(fmt::format("top-5 {:.2f} %", *metrics.top5 * 100));
    if (metrics.f1) words.push_back(fmt::format("F1 {:.4f}", *metrics.f1));
    if (metrics.auc) words.push_back(fmt::format("AUC {:.4f}", *metrics.auc));
    if (metrics.rmse) words.push_back(fmt::format("RMSE {:.5g}", *metrics.rmse));
    if (metrics.perplexity) words.push_back(fmt::format("perplexity {:.4g}", *metrics.perplexity));
    if (metrics.bits_per_byte)
        words.push_back(fmt::format("{:.4f} bits a byte", *metrics.bits_per_byte));
    return join(words, ", ");
}

}  // namespace esper::tolaria
