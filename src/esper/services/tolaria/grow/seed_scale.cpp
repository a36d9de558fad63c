#include "esper/services/tolaria/grow/seed_scale.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/mul.h>

#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <vector>

#include "esper/base/random.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/grow/readout.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {

namespace {

constexpr double kFactors[] = {1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1, 2, 4};
constexpr std::size_t kOne = 5;

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

// A factor of two shows on half of the examples that a candidate is measured on.
std::size_t scale_batches(const DatasetInfo& data, std::uint32_t batch_size) {
    return (held_out_batches(data, batch_size) + 1) / 2;
}

}  // namespace

std::int64_t scale_examples(const DatasetInfo& data, std::uint32_t batch_size) {
    constexpr std::int64_t kExpectedPasses = 4;
    return kExpectedPasses * std::int64_t{batch_size} *
           static_cast<std::int64_t>(scale_batches(data, batch_size));
}

Result<SeedScale> fit_scale(const ScaleRequest& request, Engine& engine, graph::TensorStore& store,
                            const Dataset& dataset) {
    SeedScale result;
    Trial trial(request, engine, store);
    if (!trial.has_readout()) return result;
    RandomStream random(request.run_seed, "scale:" + request.seed,
                        static_cast<std::uint64_t>(request.step));
    std::vector<Batch> batches(scale_batches(dataset.info(), request.batch_size));
    for (auto& batch : batches) {
        for (std::uint32_t i = 0; i < request.batch_size; ++i)
            batch.indices.push_back(
                static_cast<std::uint32_t>(random.below(request.train_examples)));
        ESPER_CHECK_STATUS(fill_batch(
            dataset, Part::kTrain,
            Variation{request.run_seed, static_cast<std::uint64_t>(request.step)}, batch));
    }
    // The mean loss on all batches.
    const auto passes = [&](double alpha) -> Result<double> {
        double loss = 0;
        for (const auto& batch : batches) {
            ESPER_TRY(const auto one, trial.loss(alpha, as_tensors(batch, dataset.info())));
            loss += (std::isfinite(one) ? one : HUGE_VAL) / static_cast<double>(batches.size());
            result.evaluation_examples += std::int64_t{request.batch_size};
        }
        return loss;
    };
    ESPER_TRY(result.loss_without, passes(0));
    std::array<std::optional<double>, std::size(kFactors)> losses;
    const auto at_factor = [&](std::size_t i) -> Result<double> {
        if (!losses[i]) {
            trial.scale(kFactors[i]);
            ESPER_TRY(losses[i], passes(1));
        }
        return *losses[i];
    };
    std::size_t best = kOne;
    ESPER_CHECK_STATUS(at_factor(best));
    while (best > 0) {
        ESPER_TRY(const auto smaller, at_factor(best - 1));
        if (!(smaller < *losses[best])) break;
        --best;
    }
    while (best >= kOne && best + 1 < std::size(kFactors)) {
        ESPER_TRY(const auto larger, at_factor(best + 1));
        if (!(larger < *losses[best])) break;
        ++best;
    }
    if (*losses[best] < result.loss_without) result.factor = kFactors[best];
    result.loss_with = *losses[best];
    trial.scale(result.factor);
    return result;
}

}  // namespace esper::tolaria
