#include "esper/services/tolaria/grow/seed_scale.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/mul.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "esper/base/random.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {

namespace {

constexpr std::uint32_t kExamples = 256;
constexpr double kFactors[] = {1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1, 2, 4};

class Trial {
  public:
    Trial(const ScaleRequest& request, Engine& engine, graph::TensorStore& store)
        : request_(request), engine_(engine), store_(store) {
        for (const auto& name :
             {request.blueprint.readout_weight, request.blueprint.readout_bias}) {
            if (name.empty()) continue;
            const auto* entry = store.find_parameter(graph::seed_prefix(request.seed) + name);
            if (entry != nullptr) learned_.emplace_back(entry->value, entry->value.clone());
        }
    }
    bool has_readout() const { return !learned_.empty(); }
    void scale(double factor) {
        for (auto& [value, learned] : learned_) value.copy_(at::mul(learned, factor));
    }
    Result<double> loss(double alpha, const std::vector<at::Tensor>& inputs) {
        ESPER_CHECK_STATUS(store_.set_control(graph::seed_control(request_.seed), alpha));
        ESPER_TRY(const auto seen, evaluate_variant(engine_, request_.blended, store_, inputs));
        return seen.losses.mean().item<double>();
    }

  private:
    const ScaleRequest& request_;
    Engine& engine_;
    graph::TensorStore& store_;
    const BufferGuard leaves_no_trace_{store_};
    std::vector<std::pair<at::Tensor, at::Tensor>> learned_;
};

}  // namespace

std::int64_t scale_examples(std::uint32_t batch_size) {
    const auto batches = (kExamples + batch_size - 1) / batch_size;
    return std::int64_t{batches} * batch_size * (std::ssize(kFactors) + 1);
}

Result<SeedScale> fit_scale(const ScaleRequest& request, Engine& engine, graph::TensorStore& store,
                            const Dataset& dataset) {
    SeedScale result;
    Trial trial(request, engine, store);
    if (!trial.has_readout()) return result;
    const auto batches = (kExamples + request.batch_size - 1) / request.batch_size;
    RandomStream random(request.run_seed, "scale:" + request.seed,
                        static_cast<std::uint64_t>(request.step));
    std::vector<double> losses(std::size(kFactors), 0.0);
    Batch batch;
    for (std::uint32_t b = 0; b < batches; ++b) {
        batch.indices.clear();
        for (std::uint32_t i = 0; i < request.batch_size; ++i)
            batch.indices.push_back(
                static_cast<std::uint32_t>(random.below(request.train_examples)));
        ESPER_CHECK_STATUS(fill_batch(
            dataset, Part::kTrain,
            Variation{request.run_seed, static_cast<std::uint64_t>(request.step)}, batch));
        const auto inputs = as_tensors(batch, dataset.info());
        ESPER_TRY(const auto without, trial.loss(0, inputs));
        result.loss_without += without / batches;
        for (std::size_t i = 0; i < losses.size(); ++i) {
            trial.scale(kFactors[i]);
            ESPER_TRY(const auto with, trial.loss(1, inputs));
            losses[i] += (std::isfinite(with) ? with : HUGE_VAL) / batches;
        }
        result.evaluation_examples += static_cast<std::int64_t>(losses.size() + 1) *
                                      static_cast<std::int64_t>(request.batch_size);
    }
    const auto best =
        static_cast<std::size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
    if (losses[best] < result.loss_without) result.factor = kFactors[best];
    result.loss_with = losses[best];
    trial.scale(result.factor);
    return result;
}

}  // namespace esper::tolaria
