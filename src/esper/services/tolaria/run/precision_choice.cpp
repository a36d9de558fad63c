#include "esper/services/tolaria/run/precision_choice.h"

#include <fmt/format.h>

#include "esper/base/processor.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/input_cost.h"

namespace esper::tolaria {

namespace {

PrecisionChoice by_rule(double flops_of_a_step) {
    const bool native = multiplies_bf16();
    const bool large = flops_of_a_step >= kLeastFlopsForBf16;
    PrecisionChoice choice;
    choice.chosen = native && large ? configs::Precision::kBf16 : configs::Precision::kFp32;
    choice.why = !native ? std::string("the processor does not compute in bf16")
                         : fmt::format(
                               "the processor computes in bf16, and a step of {:.3g} FLOPs is {} "
                               "than {:.3g}",
                               flops_of_a_step, large ? "not less" : "less", kLeastFlopsForBf16);
    return choice;
}

}  // namespace

Result<PrecisionChoice> choose_precision(const configs::EsperConfig& config, const Learner& learner,
                                         const Dataset& dataset, Clock& clock, Flops& flops) {
    const auto examples = examples_a_step(config, dataset);
    ESPER_TRY(const auto cost, cost_on(*learner.program(), dataset.info()));
    if (config.run.deterministic) return by_rule(training_flops(cost, examples));

    auto plan = BatchPlan::shuffled(dataset.size(Part::kTrain),
                                    static_cast<std::uint32_t>(examples), config.run.seed);
    Batch batch;
    plan.batch(0, batch.indices);
    ESPER_CHECK_STATUS(fill_batch(dataset, Part::kTrain, std::nullopt, batch));
    const auto inputs = as_tensors(batch, dataset.info());
    ESPER_TRY(auto trial, learner.clone_without({}));
    auto& engine = trial->engine();
    double best[2] = {};
    const graph::Precision kinds[] = {graph::Precision::kFloat32, graph::Precision::kBFloat16};
    for (int round = 0; round < 4; ++round)
        for (int k = 0; k < 2; ++k) {
            engine.set_precision(kinds[k]);
            const auto begin = clock.now_ns();
            ESPER_TRY(auto ignored, engine.train(trial->program(), trial->store(), inputs));
            const auto took = static_cast<double>(clock.now_ns() - begin);
            flops.precision += training_flops(cost, batch.size());
            // The first round records.
            if (round == 1 || (round > 1 && took < best[k])) best[k] = took;
        }
    flops.recording += engine.take_recording_flops();
    PrecisionChoice choice;
    choice.chosen = best[1] * 1.1 < best[0] ? configs::Precision::kBf16 : configs::Precision::kFp32;
    choice.why = "both were timed";
    choice.fp32_ms = best[0] * 1e-6;
    choice.bf16_ms = best[1] * 1e-6;
    return choice;
}

}  // namespace esper::tolaria
