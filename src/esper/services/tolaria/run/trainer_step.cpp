#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/execution/kernels/kernel_error.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/grow/seed_faults.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

using execution::KernelError;

namespace {

bool is_not_finite(const Error& error) { return error.is(KernelError::kNotFinite); }

}  // namespace

double Trainer::rate() const {
    return history_.rate_factor * learning_rate(schedule_, static_cast<std::uint64_t>(step_));
}

Optimizer::Report Trainer::move_parameters() {
    return optimizer_.step(store_, rate(), [this](const std::string& b) { return settings_of(b); });
}

// One pass and, if all of it is finite, one step. Nothing has moved where it fails.
Result<double> Trainer::attempt(const std::vector<at::Tensor>& batch) {
    not_finite_.clear();
    ESPER_CHECK_STATUS(pass_seed_faults(*program_, store_));
    ESPER_TRY(auto result,
              growth_ ? growth_->train(batch, step_) : engine_.train(program_, store_, batch));
    spoil_gradients(*program_, store_);
    if (!std::isfinite(result.loss))
        return fail(KernelError::kNotFinite, "the loss became " + std::to_string(result.loss));
    auto moved = move_parameters();
    if (moved.not_finite.empty()) return result.loss;
    not_finite_ = std::move(moved.not_finite);
    return fail(KernelError::kNotFinite,
                "the gradient of '" + not_finite_.front() + "' is not finite");
}

// The batch's gradients as they are without some of the seeds; they are left in the store.
Result<double> Trainer::trial(const std::vector<std::uint32_t>& without,
                              const std::vector<at::Tensor>& batch) {
    buffers_.put_back(store_);
    auto program = program_;
    for (auto slot : without) {
        const auto& seed = growth_->kasmina().slots()[slot].seed;
        ESPER_TRY(program, graph::apply(*program, graph::RemoveSeed{seed}));
    }
    ESPER_TRY(auto result, engine_.train(program, store_, batch));
    ESPER_TRY(const auto trained, engine_.as_trained(program));
    ESPER_TRY(const auto cost, graph::count_cost(*trained));
    flops_total_ += static_cast<double>(cost.training_flops) * config_.data.batch_size;
    bool finite = std::isfinite(result.loss);
    for (const auto& block : store_.blocks()) {
        bool gone = false;
        for (auto slot : without)
            gone = gone || block->name == "seed." + growth_->kasmina().slots()[slot].seed;
        finite = finite && (gone || std::isfinite(Optimizer::norm(block->grad)));
    }
    if (finite) return result.loss;
    return fail(KernelError::kNotFinite, "neither is it without the seeds");
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
        move_parameters();
        ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
        return *loss;
    }
    buffers_.put_back(store_);
    return fail(error);
}

Status Trainer::take_out(const std::vector<std::uint32_t>& slots, const Error& error) {
    for (auto slot : slots) ESPER_CHECK_STATUS(growth_->take_out(slot, error, step_));
    program_ = growth_->program();
    forget_optimizer_state_of_the_gone();
    return {};
}

Result<Trainer::Step> Trainer::train_step() {
    ESPER_TRY(const Batch* made, loader_->next());
    // What dropout draws is a function of the step.
    if (store_.controls().contains("dropout.step"))
        ESPER_CHECK_STATUS(store_.set_control("dropout.step", static_cast<double>(step_)));
    const auto batch = as_tensors(*made, dataset_->info());
    const bool seeds = growth_ && growth_->has_seeds();
    if (seeds) {
        buffers_.keep(store_);
        growth_->note_active(step_ + 1);
    }
    auto loss = attempt(batch);
    if (!loss && seeds) loss = without_faulty_seeds(Error(loss.error()), batch);
    if (!loss && is_not_finite(loss.error()))
        return Step{0, Trouble{TroubleKind::kNotFinite, loss.error().message(), "{}"}};
    if (!loss) return fail(loss.error());
    ++step_;
    if (growth_) {
        ESPER_CHECK_STATUS(growth_->kasmina().tick(*loss));
        program_ = growth_->program();
    }
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

void Trainer::forget_optimizer_state_of_the_gone() {
    std::vector<std::string> gone;
    for (const auto& [block, state] : optimizer_.state())
        if (!store_.find_block(block)) gone.push_back(block);
    for (const auto& block : gone) optimizer_.forget(block);
}

}  // namespace esper::tolaria
