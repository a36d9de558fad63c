#include "esper/services/tolaria/learn/test_time.h"

#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "esper/services/tolaria/learn/batches.h"

namespace esper::tolaria {

void write_view(const TestTimeViews& views, std::size_t view, const DatasetInfo& info,
                std::size_t examples, const float* images, float* out) {
    constexpr std::array<std::pair<int, int>, 5> kMoves{{{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}}};
    const std::size_t kinds = views.mirror ? 2 : 1;
    const bool mirrored = view % kinds == 1;
    const int down = kMoves[view / kinds].first * views.shift;
    const int right = kMoves[view / kinds].second * views.shift;
    const auto channels = static_cast<int>(info.input_shape[0]);
    const auto height = static_cast<int>(info.input_shape[1]);
    const auto width = static_cast<int>(info.input_shape[2]);
    const bool last = info.layout == ImageLayout::kChannelsLast;
    const auto at = [&](int c, int y, int x) {
        return static_cast<std::size_t>(last ? (y * width + x) * channels + c
                                             : (c * height + y) * width + x);
    };
    const auto size = static_cast<std::size_t>(info.input_elements());
    std::fill_n(out, examples * size, 0.0F);
    for (std::size_t i = 0; i < examples; ++i, images += size, out += size)
        for (int y = std::max(0, down); y < std::min(height, height + down); ++y)
            for (int x = std::max(0, right); x < std::min(width, width + right); ++x)
                for (int c = 0; c < channels; ++c)
                    out[at(c, y, mirrored ? width - 1 - x : x)] =
                        images[at(c, y - down, x - right)];
}

Result<at::Tensor> mean_over_views(Engine& engine, const graph::ProgramPtr& program,
                                   graph::TensorStore& store, const DatasetInfo& info,
                                   const TestTimeViews& views, const Batch& batch) {
    Batch seen;
    seen.indices = batch.indices;
    seen.targets = batch.targets;
    seen.values = batch.values;
    seen.pixels.resize(batch.pixels.size());
    const bool labels = info.task == Task::kMultiLabel;
    at::Tensor sum;            // of classes: of probabilities; of labels: the logarithm of that sum
    at::Tensor sum_of_others;  // of labels, the same of what does not hold
    for (std::size_t view = 0; view < views.count(); ++view) {
        write_view(views, view, info, batch.indices.size(), batch.pixels.data(),
                   seen.pixels.data());
        ESPER_TRY(const auto logits,
                  engine.logits(program, store, {as_tensors(seen, info).front()}));
        // A host may have more outputs than the data have classes.
        const auto own = logits.to(at::kFloat).narrow(1, 0, info.classes);
        if (labels) {
            // As logarithms, because a float's sigmoid is 1 from 17 on.
            const auto p = at::log_sigmoid(own);
            const auto q = at::log_sigmoid(own.neg());
            sum = sum.defined() ? at::logaddexp(sum, p) : p;
            sum_of_others = sum_of_others.defined() ? at::logaddexp(sum_of_others, q) : q;
        } else {
            const auto p = at::softmax(own, 1);
            sum = sum.defined() ? sum.add(p) : p;
        }
    }
    if (labels) return sum.sub(sum_of_others).contiguous();
    return sum.div(static_cast<double>(views.count())).log().contiguous();
}

namespace {

/// What the figures of all examples are made of: {n, classes} logits, and what is right.
struct Seen {
    std::vector<float> scores;
    std::vector<std::int64_t> targets;
    std::vector<float> holds;
};

void measure_classes(const Seen& seen, std::size_t classes, Evaluation& result) {
    double right = 0;
    double among_five = 0;
    for (std::size_t i = 0; i < seen.targets.size(); ++i) {
        const auto row = std::span(seen.scores).subspan(i * classes, classes);
        const float own = row[static_cast<std::size_t>(seen.targets[i])];
        result.losses.push_back(-own);
        const auto above = std::ranges::count_if(row, [&](float other) { return other > own; });
        right += above == 0 ? 1 : 0;
        among_five += above < 5 ? 1 : 0;
    }
    const auto n = std::max<double>(1, result.examples);
    result.accuracy = right / n;
    if (static_cast<std::int64_t>(classes) > kClassesForTopFive) result.top5 = among_five / n;
    result.classes = figures_of_classes(seen.scores, seen.targets, classes);
}

void measure_labels(const Seen& seen, std::size_t labels, Evaluation& result) {
    const auto k = static_cast<double>(labels);
    double right = 0;
    for (std::size_t i = 0; i < result.examples; ++i) {
        double loss = 0;
        for (std::size_t l = i * labels; l < (i + 1) * labels; ++l) {
            const double x = seen.scores[l];
            loss += std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))) - seen.holds[l] * x;
            right += (x > 0) == (seen.holds[l] > 0) ? 1 / k : 0;
        }
        result.losses.push_back(static_cast<float>(loss / k));
    }
    result.accuracy = right / std::max<double>(1, result.examples);
    result.classes = figures_of_labels(seen.scores, seen.holds, labels);
}

}  // namespace

Result<Evaluation> evaluate_over_views(Engine& engine, const graph::ProgramPtr& program,
                                       graph::TensorStore& store, const Dataset& dataset, Part part,
                                       std::uint32_t batch_size, const TestTimeViews& views) {
    const auto& info = dataset.info();
    const auto classes = static_cast<std::size_t>(info.classes);
    Evaluation result;
    result.examples = dataset.size(part);
    auto plan = BatchPlan::in_order(result.examples, batch_size);
    Batch batch;
    Seen seen;
    for (std::uint64_t step = 0; step < plan.steps_per_epoch(); ++step) {
        plan.batch(step, batch.indices);
        ESPER_CHECK_STATUS(fill_batch(dataset, part, std::nullopt, batch));
        ESPER_TRY(const auto logits, mean_over_views(engine, program, store, info, views, batch));
        const auto* from = logits.const_data_ptr<float>();
        seen.scores.insert(seen.scores.end(), from, from + logits.numel());
        seen.targets.insert(seen.targets.end(), batch.targets.begin(), batch.targets.end());
        seen.holds.insert(seen.holds.end(), batch.values.begin(), batch.values.end());
    }
    if (info.task == Task::kMultiLabel)
        measure_labels(seen, classes, result);
    else
        measure_classes(seen, classes, result);
    result.loss = std::accumulate(result.losses.begin(), result.losses.end(), 0.0) /
                  std::max<double>(1, result.examples);
    return result;
}

}  // namespace esper::tolaria
