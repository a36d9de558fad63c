#include "esper/services/tolaria/learn/evaluation.h"

#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>

#include "esper/base/random.h"
#include "esper/services/tolaria/learn/batches.h"

namespace esper::tolaria {
namespace {

/// False where the task has no such figure.
bool add_up(const at::Tensor& each, double& sum) {
    if (!each.defined()) return false;
    const auto* values = each.const_data_ptr<float>();
    for (std::int64_t i = 0; i < each.numel(); ++i) sum += values[i];
    return true;
}

}  // namespace

Result<Evaluation> evaluate_part(Engine& engine, const graph::ProgramPtr& program,
                                 graph::TensorStore& store, const Dataset& dataset, Part part,
                                 std::uint32_t batch_size, std::uint32_t limit) {
    Evaluation result;
    const auto total = limit == 0 ? dataset.size(part) : std::min(limit, dataset.size(part));
    auto plan = BatchPlan::in_order(total, batch_size);
    Batch batch;
    double correct = 0;
    double among_five = 0;
    bool has_correct = false;
    bool has_five = false;
    double loss = 0;
    for (std::uint64_t step = 0; step < plan.steps_per_epoch(); ++step) {
        plan.batch(step, batch.indices);
        ESPER_CHECK_STATUS(fill_batch(dataset, part, std::nullopt, batch));
        ESPER_TRY(auto seen, engine.evaluate(program, store, as_tensors(batch, dataset.info())));
        const auto* losses = seen.losses.const_data_ptr<float>();
        for (std::int64_t i = 0; i < batch.size(); ++i) {
            loss += losses[i];
            result.losses.push_back(losses[i]);
        }
        has_correct = add_up(seen.correct, correct);
        has_five = add_up(seen.among_five, among_five);
    }
    result.examples = total;
    result.loss = loss / std::max<double>(1, total);
    if (has_correct) result.accuracy = correct / std::max<double>(1, total);
    if (has_five) result.top5 = among_five / std::max<double>(1, total);
    return result;
}

Result<std::vector<float>> losses_of(Engine& engine, const graph::ProgramPtr& program,
                                     graph::TensorStore& store, const Dataset& dataset, Part part,
                                     std::uint32_t batch_size,
                                     std::span<const std::uint32_t> examples) {
    std::vector<float> losses;
    Batch batch;
    for (std::size_t at = 0; at < examples.size(); at += batch_size) {
        const auto these =
            examples.subspan(at, std::min<std::size_t>(batch_size, examples.size() - at));
        batch.indices.assign(these.begin(), these.end());
        ESPER_CHECK_STATUS(fill_batch(dataset, part, std::nullopt, batch));
        ESPER_TRY(const auto seen,
                  engine.evaluate(program, store, as_tensors(batch, dataset.info())));
        const auto* values = seen.losses.const_data_ptr<float>();
        losses.insert(losses.end(), values, values + batch.size());
    }
    return losses;
}

namespace {

std::int64_t draw(const float* logits, std::int64_t n, RandomStream& random) {
    constexpr double kTemperature = 0.8;
    const double top = *std::max_element(logits, logits + n);
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        weights.push_back(std::exp((logits[i] - top) / kTemperature));
        sum += weights.back();
    }
    double at = random.uniform() * sum;
    for (std::int64_t i = 0; i < n; ++i) {
        at -= weights[static_cast<std::size_t>(i)];
        if (at <= 0) return i;
    }
    return n - 1;
}

}  // namespace

Result<std::string> sample_text(Engine& engine, const graph::ProgramPtr& program,
                                graph::TensorStore& store, const DatasetInfo& info,
                                const std::string& prompt, int count, std::uint64_t seed) {
    const auto context = info.input_shape.at(0);
    std::vector<std::int64_t> tokens;
    for (char c : prompt) {
        auto it = std::find(info.class_names.begin(), info.class_names.end(), std::string(1, c));
        if (it != info.class_names.end()) tokens.push_back(it - info.class_names.begin());
    }
    if (tokens.empty()) tokens.push_back(0);
    RandomStream random(seed, "sample");
    auto window = at::full({1, context}, tokens[0], at::kLong);
    std::string text = prompt;
    for (int i = 0; i < count; ++i) {
        // The model is causal: padding after the last token cannot change its distribution.
        const auto have = std::min<std::int64_t>(context, static_cast<std::int64_t>(tokens.size()));
        std::copy(tokens.end() - have, tokens.end(), window.mutable_data_ptr<std::int64_t>());
        ESPER_TRY(auto logits, engine.logits(program, store, {window}));
        auto row = logits.select(0, 0).select(0, have - 1).to(at::kFloat).contiguous();
        // A model may know more tokens than this text has characters.
        const auto known =
            std::min(row.numel(), static_cast<std::int64_t>(info.class_names.size()));
        tokens.push_back(draw(row.const_data_ptr<float>(), known, random));
        text += info.class_names[static_cast<std::size_t>(tokens.back())];
    }
    return text;
}

}  // namespace esper::tolaria
