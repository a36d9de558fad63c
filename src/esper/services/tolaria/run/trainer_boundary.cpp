// What happens between two epochs.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/process_usage.h"
#include "esper/services/records/tensorboard.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/learn/picture_samples.h"
#include "esper/services/tolaria/learn/text_samples.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

namespace {

std::int64_t epochs_begun(std::int64_t step, const RunLength& length) {
    return (step + length.steps_per_epoch - 1) / length.steps_per_epoch;
}

}  // namespace

Result<std::optional<Trouble>> Trainer::end_epoch() {
    const double train_loss =
        curves_.epoch_loss_sum / static_cast<double>(now_.step - last_boundary_);
    // What decides about growth below goes by what is spent by now.
    if (course_.has_budget())
        course_.note(now_.step, spent(),
                     training_flops(cost_, examples_a_step(config_, *dataset_)));
    Evaluation validation;
    bool is_best = false;
    ESPER_TRY(const auto cost, cost_on(*learner_.program(), images_->info()));
    {
        const StopSignal::Heeded heeded(stop_);
        const double begun = wall_seconds();
        const auto validate = [&]() -> Status {
            const WeightMean::Shown shown(mean_, learner_.store());
            ESPER_TRY(validation,
                      evaluate_part(learner_.engine(), learner_.program(), learner_.store(),
                                    *images_, Part::kValidation,
                                    static_cast<std::uint32_t>(config_.data.batch_size)));
            flops_.validation += forward_flops(cost, validation.examples);
            return {};
        };
        ESPER_CHECK_STATUS(validate());
        if (!std::isfinite(validation.loss) && growth_) {
            auto& kernels = growth_->kernels();
            if (const auto in_use = kernels.in_use(); !in_use.empty()) {
                kernels.set_aside(in_use);
                ESPER_CHECK_STATUS(validate());
                if (std::isfinite(validation.loss))
                    ESPER_CHECK_STATUS(
                        kernels.take_out(in_use, "the validation loss was not finite", now_));
                else
                    kernels.put_back();
            }
        }
        const double validated = wall_seconds();
        seconds_.validation += validated - begun;
        if (!std::isfinite(validation.loss))
            return Trouble{TroubleKind::kNotFinite,
                           "the validation loss became " + std::to_string(validation.loss), "{}"};
        // Losses of images of different sizes are not compared.
        is_best =
            images_->are_whole() && (curves_.best_step < 0 || validation.loss < curves_.best_loss);
        if (is_best) {
            curves_.best_loss = validation.loss;
            curves_.best_step = now_.step;
        }
        curves_.epoch_loss_sum = 0;
        last_boundary_ = now_.step;
        curves_.train_losses.push_back(train_loss);
        curves_.validation_losses.push_back(validation.loss);
        if (validation.accuracy) curves_.validation_accuracies.push_back(*validation.accuracy);
        ESPER_CHECK_STATUS(sample_if_due(validation));
        const double sampled = wall_seconds();
        seconds_.test += sampled - validated;
        if (growth_)
            ESPER_CHECK_STATUS(
                growth_->at_boundary(now_, {curves_.train_losses, curves_.validation_losses}));
        seconds_.measuring += wall_seconds() - sampled;
    }
    if (growth_)
        ESPER_CHECK_STATUS(
            growth_->kernels().take_out({}, "it reported an error outside of a step", now_));
    flops_.recording += learner_.engine().take_recording_flops();
    const double seconds = wall_seconds();
    const auto examples = (now_.step - rate_since_step_) * examples_a_step(config_, *dataset_);
    const auto usage = process_usage();
    ESPER_CHECK_STATUS(folder_.metrics(
        {{"epoch", static_cast<double>(epochs_begun(now_.step, length_))},
         {"step", static_cast<double>(now_.step)},
         {"train_loss", train_loss},
         {"val_loss", validation.loss},
         {"val_accuracy", validation.accuracy.value_or(std::nan(""))},
         {"learning_rate", rate_at(now_.step - 1)},
         {"parameters", static_cast<double>(learner_.program()->parameter_count())},
         {"flops_per_example", static_cast<double>(cost.forward_flops)},
         {"flops_total", flops_.total()},
         {"seconds", seconds},
         {"examples_per_second",
          static_cast<double>(examples) / std::max(1e-9, seconds - rate_since_)},
         {"resident_bytes", usage ? static_cast<double>(usage->resident_bytes) : std::nan("")}}));
    if (config_.telemetry.tensorboard)
        ESPER_CHECK_STATUS(records::write_tensorboard(folder_.path()));
    measure_rate_anew();
    if (watcher_)
        watcher_(
            {now_.step, course_.total_steps(now_.step), epochs_begun(now_.step, length_),
             train_loss, validation.loss,
             metrics_of(dataset_->info(), validation.loss, validation.accuracy, validation.top5),
             0});
    ESPER_CHECK_STATUS(save_if_due(is_best));
    // The edits of this boundary are in the journal; run.json names the Program they led to.
    ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
    return std::optional<Trouble>{};
}

// Nothing in the run goes by what this costs: it is neither measuring nor a part of a budget. An
// engine of its own, so that no recording that the run needs later is counted here.
Status Trainer::sample_if_due(const Evaluation& validation) {
    constexpr std::int64_t kTokens = 160;
    const auto epoch = epochs_begun(now_.step, length_);
    const auto every = config_.telemetry.samples;
    if (every == 0 || epoch % every != 0) return {};
    const auto options = learner_.options_for_clone();
    Engine engine(options.precision, options.optimization.label_smoothing, options.isolation,
                  kernels_);
    engine.heed(&stop_);
    const WeightMean::Shown shown(mean_, learner_.store());
    const SampleSource source{engine, learner_.program(), learner_.store(), images_->info(),
                              folder_};
    const auto when = "after epoch " + std::to_string(epoch);
    ESPER_TRY(const auto text,
              record_sample(source, config_, when, now_.step, now_.epoch, kTokens));
    ESPER_TRY(const auto pictures,
              record_pictures(source, *images_, validation.losses, when, now_));
    flops_.sampling += text + pictures + engine.take_recording_flops();
    return {};
}

Status Trainer::save_if_due(bool is_best) {
    if (is_best) return save(CheckpointKind::kBest);
    const auto& every = config_.checkpoint.every;
    bool due = false;
    if (const auto steps = every.steps(length_.steps_per_epoch, length_.total_steps)) {
        due = now_.step % std::max<std::int64_t>(1, *steps) == 0;
    } else if (now_.step % length_.steps_per_epoch == 0) {
        const double since = static_cast<double>(clock_.now_ns() - saved_ns_) * 1e-9;
        due = since >= every.in_seconds().value_or(0);
    }
    return due ? save(CheckpointKind::kRegular) : Status{};
}

}  // namespace esper::tolaria
