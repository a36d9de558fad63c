#include "esper/services/tolaria/learn/test_time.h"

#include <ATen/ops/softmax.h>

#include <algorithm>
#include <array>
#include <cmath>
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
    seen.pixels.resize(batch.pixels.size());
    at::Tensor sum;
    for (std::size_t view = 0; view < views.count(); ++view) {
        write_view(views, view, info, batch.indices.size(), batch.pixels.data(),
                   seen.pixels.data());
        ESPER_TRY(const auto logits,
                  engine.logits(program, store, {as_tensors(seen, info).front()}));
        // A host may have more outputs than the data have classes.
        const auto p = at::softmax(logits.to(at::kFloat).narrow(1, 0, info.classes), 1);
        sum = sum.defined() ? sum.add(p) : p;
    }
    return sum.div(static_cast<double>(views.count())).log().contiguous();
}

Result<Evaluation> evaluate_over_views(Engine& engine, const graph::ProgramPtr& program,
                                       graph::TensorStore& store, const Dataset& dataset, Part part,
                                       std::uint32_t batch_size, const TestTimeViews& views) {
    const auto& info = dataset.info();
    const auto classes = static_cast<std::size_t>(info.classes);
    Evaluation result;
    result.examples = dataset.size(part);
    auto plan = BatchPlan::in_order(result.examples, batch_size);
    Batch batch;
    std::vector<float> scores;
    std::vector<std::int64_t> targets;
    for (std::uint64_t step = 0; step < plan.steps_per_epoch(); ++step) {
        plan.batch(step, batch.indices);
        ESPER_CHECK_STATUS(fill_batch(dataset, part, std::nullopt, batch));
        ESPER_TRY(const auto logs, mean_over_views(engine, program, store, info, views, batch));
        const auto* from = logs.const_data_ptr<float>();
        scores.insert(scores.end(), from, from + logs.numel());
        targets.insert(targets.end(), batch.targets.begin(), batch.targets.end());
    }
    double loss = 0;
    double right = 0;
    double among_five = 0;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const auto row = std::span(scores).subspan(i * classes, classes);
        const float own = row[static_cast<std::size_t>(targets[i])];
        result.losses.push_back(-own);
        loss -= own;
        const auto above = std::ranges::count_if(row, [&](float other) { return other > own; });
        right += above == 0 ? 1 : 0;
        among_five += above < 5 ? 1 : 0;
    }
    const auto n = std::max<double>(1, result.examples);
    result.loss = loss / n;
    result.accuracy = right / n;
    if (info.classes > kClassesForTopFive) result.top5 = among_five / n;
    return result;
}

}  // namespace esper::tolaria
