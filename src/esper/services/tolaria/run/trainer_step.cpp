#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/execution/kernels/kernel_error.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

using execution::KernelError;

double Trainer::rate_at(std::int64_t step) const {
    return history_.rate_factor * course_.rate(step);
}

StepRule Trainer::rule() const {
    return {now_.step, rate_at(now_.step), [this](const std::string& block, std::int64_t age) {
                return block_settings(
                    config_, growth_ ? growth_->kasmina().treatment(block) : std::nullopt, age);
            }};
}

void Trainer::move_on() {
    ++now_.step;
    now_.epoch = static_cast<std::uint32_t>(now_.step / length_.steps_per_epoch);
}

// One step where all of it is finite. Nothing has moved where it fails.
Result<double> Trainer::attempt(const std::vector<at::Tensor>& batch) {
    ESPER_TRY(const auto made,
              learner_.step(batch, rule(),
                            growth_ ? growth_->taps(now_.step) : std::vector<graph::ValueId>{}));
    if (growth_) growth_->observe(made);
    return made.loss;
}

// The batch's gradients as they are without some of the seeds; they are left in the store.
Result<double> Trainer::trial(const std::vector<std::uint32_t>& without,
                              const std::vector<at::Tensor>& batch) {
    auto& store = learner_.store();
    buffers_.put_back(store);
    std::vector<std::string> seeds;
    for (auto slot : without) seeds.push_back(growth_->kasmina().slots()[slot].seed);
    ESPER_TRY(const auto program, without_seeds(learner_.program(), seeds));
    ESPER_TRY(auto result, learner_.engine().train(program, store, batch));
    ESPER_TRY(const auto trained, learner_.engine().as_trained(program));
    ESPER_TRY(const auto cost, cost_on(*trained, images_->info()));
    flops_.training += training_flops(cost, batch.front().size(0));
    bool finite = std::isfinite(result.loss);
    for (const auto& block : store.blocks()) {
        bool gone = false;
        for (const auto& seed : seeds) gone = gone || block->name == graph::seed_scope(seed);
        finite = finite && (gone || std::isfinite(Optimizer::norm(block->grad)));
    }
    if (finite) return result.loss;
    return fail(KernelError::kNotFinite, "neither is it without the seeds");
}

// A kernel is at fault when the same batch goes well with the operators in its place. They make
// this step and all that follow.
Result<double> Trainer::without_faulty_kernels(const Error& error,
                                               const std::vector<at::Tensor>& batch) {
    auto& kernels = growth_->kernels();
    const auto in_use = kernels.in_use();
    std::vector<std::vector<std::string>> guesses;
    for (const auto& seed : in_use) guesses.push_back({seed});
    if (in_use.size() > 1) guesses.push_back(in_use);
    for (const auto& guess : guesses) {
        kernels.set_aside(guess);
        auto loss = trial({}, batch);
        if (!loss) {
            kernels.put_back();
            continue;
        }
        ESPER_CHECK_STATUS(kernels.take_out(guess, error.message(), now_));
        learner_.move(rule());
        ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
        return *loss;
    }
    buffers_.put_back(learner_.store());
    return fail(error);
}

// A seed is at fault when the same batch goes well without it. It is taken out, and the step is the
// one that the host makes alone.
Result<double> Trainer::without_faulty_seeds(const Error& error,
                                             const std::vector<at::Tensor>& batch) {
    const auto suspects = growth_->suspects();
    std::vector<std::vector<std::uint32_t>> guesses;
    for (auto slot : suspects) guesses.push_back({slot});
    if (suspects.size() > 1) guesses.push_back(suspects);
    for (const auto& guess : guesses) {
        auto loss = trial(guess, batch);
        if (!loss) continue;
        ESPER_CHECK_STATUS(take_out(guess, error));
        learner_.move(rule());
        ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
        return *loss;
    }
    buffers_.put_back(learner_.store());
    return fail(error);
}

Status Trainer::take_out(const std::vector<std::uint32_t>& slots, const Error& error) {
    for (auto slot : slots) ESPER_CHECK_STATUS(growth_->take_out(slot, error, now_));
    return {};
}

Result<Trainer::Step> Trainer::train_step() {
    ESPER_TRY(const Batch* made, loader_->next());
    const auto batch = as_tensors(*made, images_->info());
    const bool seeds = growth_ && growth_->has_seeds();
    if (seeds) {
        buffers_.keep(learner_.store());
        growth_->note_active(now_.step + 1);
        ESPER_CHECK_STATUS(
            growth_->kernels().take_out({}, "it reported an error outside of a step", now_));
    }
    auto loss = attempt(batch);
    const double second_passes = shadow_flops_ * static_cast<double>(made->size());
    flops_.training += training_flops(cost_, made->size()) - second_passes;
    flops_.shadows += second_passes;
    // The rate of the next step depends on it, whenever the run is stopped.
    if (course_.has_budget()) flops_.recording += learner_.engine().take_recording_flops();
    if (!loss && seeds) loss = without_faulty_kernels(Error(loss.error()), batch);
    if (!loss && seeds) loss = without_faulty_seeds(Error(loss.error()), batch);
    if (!loss && loss.error().is(KernelError::kNotFinite))
        return Step{0, Trouble{TroubleKind::kNotFinite, loss.error().message(), "{}"}};
    if (!loss) return fail(loss.error());
    move_on();
    mean_.take(learner_.program(), learner_.store());
    if (growth_) ESPER_CHECK_STATUS(growth_->kasmina().tick(*loss));
    if (growth_) growth_->splits().take(*loss);
    Step step{*loss, std::nullopt};
    if (!config_.checkpoint.rollback.enabled) return step;
    if (const auto spike = spikes_.take(*loss))
        step.trouble = Trouble{
            TroubleKind::kSpike,
            "the loss jumped to " + std::to_string(spike->loss) + " from a running mean of " +
                std::to_string(spike->mean),
            nlohmann::json{
                {"loss", spike->loss}, {"mean", spike->mean}, {"deviation", spike->deviation}}
                .dump()};
    return step;
}

}  // namespace esper::tolaria
