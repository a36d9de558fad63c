#include "esper/services/tolaria/learn/prediction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "esper/services/tolaria/learn/batches.h"

namespace esper::tolaria {

namespace {

constexpr std::size_t kAtOnce = 64;

std::vector<Prediction::Class> likeliest(const float* logits, std::int64_t n, std::size_t top) {
    const double highest = *std::max_element(logits, logits + n);
    std::vector<Prediction::Class> classes;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        classes.push_back({i, std::exp(logits[i] - highest)});
        sum += classes.back().probability;
    }
    for (auto& one : classes) one.probability /= sum;
    std::ranges::stable_sort(classes, std::greater(), &Prediction::Class::probability);
    classes.resize(std::min(top, classes.size()));
    return classes;
}

}  // namespace

Result<std::vector<Prediction>> predict(Engine& engine, const graph::ProgramPtr& program,
                                        graph::TensorStore& store, const DatasetInfo& data,
                                        std::span<const float> inputs, std::size_t count,
                                        std::size_t top,
                                        const std::optional<TestTimeViews>& views) {
    const auto elements = static_cast<std::size_t>(data.input_elements());
    std::vector<Prediction> predictions;
    Batch batch;
    for (std::size_t from = 0; from < count; from += kAtOnce) {
        const auto here = std::min(kAtOnce, count - from);
        const auto piece = inputs.subspan(from * elements, here * elements);
        batch.indices.resize(here);
        batch.pixels.assign(piece.begin(), piece.end());
        batch.targets.resize(here * static_cast<std::size_t>(data.target_elements()));
        batch.values.resize(batch.targets.size());
        ESPER_TRY(const auto logits,
                  views ? mean_over_views(engine, program, store, data, *views, batch)
                        : engine.logits(program, store, {as_tensors(batch, data).front()}));
        const auto rows = logits.to(at::kFloat).reshape({logits.size(0), -1}).contiguous();
        for (std::int64_t i = 0; i < rows.size(0); ++i) {
            const auto* row = rows.const_data_ptr<float>() + i * rows.size(1);
            Prediction prediction;
            if (data.task == Task::kRegression)
                prediction.value = row[0] * data.target_deviation + data.target_mean;
            else  // a host may have more outputs than the data have classes
                prediction.best = likeliest(row, std::min(rows.size(1), data.classes), top);
            predictions.push_back(std::move(prediction));
        }
    }
    return predictions;
}

}  // namespace esper::tolaria
