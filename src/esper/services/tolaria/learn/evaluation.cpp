#include "esper/services/tolaria/learn/evaluation.h"

#include <algorithm>

#include "esper/services/tolaria/learn/batches.h"

namespace esper::tolaria {
namespace {

/// Scores and targets of a whole part.
class Scores {
  public:
    explicit Scores(const DatasetInfo& info) : info_(info) {}

    void take(const Batch& batch, const at::Tensor& scores) {
        if (!scores.defined()) return;
        const auto flat = scores.contiguous();
        const auto* from = flat.const_data_ptr<float>();
        scores_.insert(scores_.end(), from, from + flat.numel());
        classes_.insert(classes_.end(), batch.targets.begin(), batch.targets.end());
        labels_.insert(labels_.end(), batch.values.begin(), batch.values.end());
    }
    std::optional<ClassFigures> figures() const {
        const auto classes = static_cast<std::size_t>(info_.classes);
        if (scores_.empty()) return std::nullopt;
        if (info_.task == Task::kMultiLabel) return figures_of_labels(scores_, labels_, classes);
        if (info_.task == Task::kClassification)
            return figures_of_classes(scores_, classes_, classes);
        return std::nullopt;
    }

  private:
    const DatasetInfo& info_;
    std::vector<float> scores_;
    std::vector<std::int64_t> classes_;
    std::vector<float> labels_;
};

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
                                 std::uint32_t batch_size, std::uint32_t limit, Figures figures) {
    Evaluation result;
    const auto total = limit == 0 ? dataset.size(part) : std::min(limit, dataset.size(part));
    auto plan = BatchPlan::in_order(total, batch_size);
    Batch batch;
    double correct = 0;
    double among_five = 0;
    bool has_correct = false;
    bool has_five = false;
    double loss = 0;
    Scores scores(dataset.info());
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
        if (figures == Figures::kWithClasses) scores.take(batch, seen.scores);
    }
    result.examples = total;
    result.classes = scores.figures();
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

}  // namespace esper::tolaria
