#include "esper/services/tolaria/learn/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <vector>

#include "esper/base/text.h"

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

nlohmann::json to_json(const TaskMetrics& metrics) {
    auto object = nlohmann::json::object();
    const auto add = [&](const char* name, const std::optional<double>& value) {
        if (value) object[name] = *value;
    };
    add("accuracy", metrics.accuracy);
    add("top5_accuracy", metrics.top5);
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
    if (metrics.rmse) words.push_back(fmt::format("RMSE {:.5g}", *metrics.rmse));
    if (metrics.perplexity) words.push_back(fmt::format("perplexity {:.4g}", *metrics.perplexity));
    if (metrics.bits_per_byte)
        words.push_back(fmt::format("{:.4f} bits a byte", *metrics.bits_per_byte));
    return join(words, ", ");
}

}  // namespace esper::tolaria
