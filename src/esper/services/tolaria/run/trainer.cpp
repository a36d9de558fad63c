#include "esper/services/tolaria/run/trainer.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/clock.h"
#include "esper/base/processor.h"
#include "esper/configs/yaml.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/host/imported_host.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/text_samples.h"
#include "esper/services/tolaria/run/resume_check.h"

namespace esper::tolaria {

std::string_view to_text(RunStatus status) {
    switch (status) {
        case RunStatus::kRunning:
            return "running";
        case RunStatus::kDone:
            return "done";
        case RunStatus::kStopped:
            return "stopped";
        case RunStatus::kFailed:
            return "failed";
    }
    return "?";
}

Trainer::Trainer(configs::EsperConfig config, RunFolder folder)
    : config_(std::move(config)),
      folder_(std::move(folder)),
      ring_(folder_.checkpoints(), config_.checkpoint.keep),
      store_({config_.run.seed, true}),
      engine_(graph::Precision::kFloat32, config_.optimization.label_smoothing,
              config_.growth.isolation),
      optimizer_(config_.optimization),
      spikes_(config_.checkpoint.rollback) {}

Trainer::~Trainer() = default;

Result<std::unique_ptr<Trainer>> Trainer::create(const configs::EsperConfig& config,
                                                 const std::filesystem::path& folder) {
    ESPER_TRY(auto data, open_data(config));
    ESPER_TRY(auto host, make_host(config, data->info()));
    if (config.growth.enabled) ESPER_CHECK_STATUS(growth_places(config.growth, host));
    ESPER_TRY(auto opened, RunFolder::create(folder));
    std::unique_ptr<Trainer> trainer(new Trainer(config, std::move(opened)));
    trainer->dataset_ = data;
    trainer->host_ = trainer->program_ = host;
    ESPER_CHECK_STATUS(trainer->prepare());
    if (is_exported_model(config)) ESPER_CHECK_STATUS(load_host_weights(config, trainer->store_));
    ESPER_CHECK_STATUS(trainer->choose_precision());
    ESPER_CHECK_STATUS(
        write_file_atomic(folder / "config.yaml", configs::to_yaml(trainer->config_)));
    ESPER_TRY(trainer->journal_,
              graph::Journal::create(trainer->folder_.journal(), *trainer->program_));
    ESPER_CHECK_STATUS(trainer->start_growth());
    // run.json last: a folder that has one can be resumed.
    ESPER_CHECK_STATUS(trainer->save(CheckpointKind::kRegular));
    ESPER_CHECK_STATUS(trainer->write_run_json(RunStatus::kRunning));
    return trainer;
}

Result<std::unique_ptr<Trainer>> Trainer::resume(const configs::EsperConfig& wanted,
                                                 const std::filesystem::path& folder) {
    ESPER_TRY(auto opened, RunFolder::open(folder));
    ESPER_TRY(const auto change, check_resume(opened, wanted));
    const auto& config = change.config;
    ESPER_TRY(auto data, open_data(config));
    ESPER_TRY(auto host, make_host(config, data->info()));
    std::unique_ptr<Trainer> trainer(new Trainer(config, std::move(opened)));
    trainer->dataset_ = data;
    trainer->host_ = trainer->program_ = host;
    ESPER_CHECK_STATUS(trainer->prepare());
    ESPER_CHECK_STATUS(trainer->start_growth());
    ESPER_TRY(auto checkpoint, trainer->ring_.newest());
    ESPER_CHECK_STATUS(trainer->load(checkpoint));
    ESPER_CHECK_STATUS(
        check_unfinished(trainer->folder_, trainer->step_, trainer->length_.total_steps));
    ESPER_CHECK_STATUS(trainer->cut_back_files(checkpoint));
    ESPER_CHECK_STATUS(write_changes(change, trainer->folder_, trainer->step_,
                                     trainer->step_ / trainer->length_.steps_per_epoch));
    ESPER_CHECK_STATUS(trainer->write_run_json(RunStatus::kRunning));
    return trainer;
}

Status Trainer::prepare() {
    const int threads = config_.run.threads > 0 ? config_.run.threads : physical_cores();
    at::set_num_threads(threads);
    config_.run.threads = threads;
    length_ = run_length(config_, *dataset_);
    schedule_ = schedule_of(config_, length_);
    initial_parameters_ = program_->parameter_count();
    started_ns_ = system_clock().now_ns();
    return store_.add(*program_, "host");
}

// Measures a few steps each way on a copy of the tensors; the choice is written into the resolved
// configuration, so that a resumed run does not choose again.
Status Trainer::choose_precision() {
    auto& wanted = config_.run.precision;
    if (wanted == configs::Precision::kAuto) {
        auto plan = BatchPlan::shuffled(dataset_->size(Part::kTrain),
                                        static_cast<std::uint32_t>(config_.data.batch_size),
                                        config_.run.seed);
        Batch batch;
        plan.batch(0, batch.indices);
        ESPER_CHECK_STATUS(fill_batch(*dataset_, Part::kTrain, std::nullopt, batch));
        const auto inputs = as_tensors(batch, dataset_->info());
        auto copy = store_.clone();
        double best[2] = {};
        const graph::Precision kinds[] = {graph::Precision::kFloat32, graph::Precision::kBFloat16};
        for (int round = 0; round < 4; ++round)
            for (int k = 0; k < 2; ++k) {
                engine_.set_precision(kinds[k]);
                const auto begin = system_clock().now_ns();
                ESPER_TRY(auto ignored, engine_.train(program_, copy, inputs));
                const auto took = static_cast<double>(system_clock().now_ns() - begin);
                // The first round records.
                if (round == 1 || (round > 1 && took < best[k])) best[k] = took;
            }
        engine_.clear();
        wanted = best[1] * 1.1 < best[0] ? configs::Precision::kBf16 : configs::Precision::kFp32;
        ESPER_CHECK_STATUS(folder_.event("precision", 0, 0,
                                         {{"chosen", contracts::to_text(wanted)},
                                          {"fp32_ms", best[0] * 1e-6},
                                          {"bf16_ms", best[1] * 1e-6}}));
    }
    engine_.set_precision(wanted == configs::Precision::kBf16 ? graph::Precision::kBFloat16
                                                              : graph::Precision::kFloat32);
    return {};
}

void Trainer::restart_loader() {
    LoaderOptions options;
    options.variation_seed = config_.run.seed;
    options.first_step = static_cast<std::uint64_t>(step_);
    options.end_step = static_cast<std::uint64_t>(length_.total_steps);
    options.workers = static_cast<std::size_t>(config_.data.workers);
    loader_ = std::make_unique<PrefetchingLoader>(
        dataset_, Part::kTrain,
        BatchPlan::shuffled(train_examples(config_, *dataset_),
                            static_cast<std::uint32_t>(config_.data.batch_size), config_.run.seed),
        options);
}

Status Trainer::start_growth() {
    if (!config_.growth.enabled) return {};
    ESPER_TRY(growth_,
              Growth::create(
                  {config_, store_, engine_, *dataset_, folder_, length_, schedule_, optimizer_,
                   [this](std::int64_t step) {
                       return history_.rate_factor *
                              learning_rate(schedule_, static_cast<std::uint64_t>(step));
                   }},
                  program_));
    growth_->kasmina().on_edit([this](const graph::Edit& edit, const graph::Program& after,
                                      std::string reason) {
        return journal_->append(edit, after, static_cast<std::uint64_t>(step_), std::move(reason));
    });
    return {};
}

BlockSettings Trainer::settings_of(const std::string& block) const {
    const auto state = optimizer_.state().find(block);
    return block_settings(config_, growth_ ? growth_->kasmina().treatment(block) : std::nullopt,
                          state == optimizer_.state().end() ? 0 : state->second.steps);
}

Result<std::optional<Trouble>> Trainer::end_epoch() {
    const auto epoch = step_ / length_.steps_per_epoch;
    const double train_loss = epoch_loss_sum_ / static_cast<double>(length_.steps_per_epoch);
    epoch_loss_sum_ = 0;
    ESPER_TRY(auto validation,
              evaluate_part(engine_, program_, store_, *dataset_, Part::kValidation,
                            static_cast<std::uint32_t>(config_.data.batch_size)));
    if (!std::isfinite(validation.loss))
        return Trouble{TroubleKind::kNotFinite,
                       "the validation loss became " + std::to_string(validation.loss), "{}"};
    const bool is_best = best_step_ < 0 || validation.loss < best_loss_;
    if (is_best) {
        best_loss_ = validation.loss;
        best_step_ = step_;
    }
    train_losses_.push_back(train_loss);
    validation_losses_.push_back(validation.loss);
    validation_accuracies_.push_back(validation.accuracy);
    ESPER_TRY(auto cost, graph::count_cost(*program_));
    flops_total_ += static_cast<double>(cost.forward_flops) * validation.examples;
    if (growth_) {
        ESPER_CHECK_STATUS(growth_->at_boundary(step_, {train_losses_, validation_losses_}));
        program_ = growth_->program();
        flops_total_ += growth_->take_flops();
        forget_optimizer_state_of_the_gone();
    }
    ESPER_CHECK_STATUS(folder_.metrics(
        {{"epoch", static_cast<double>(epoch)},
         {"step", static_cast<double>(step_)},
         {"train_loss", train_loss},
         {"val_loss", validation.loss},
         {"val_accuracy", validation.accuracy},
         {"learning_rate",
          history_.rate_factor * learning_rate(schedule_, static_cast<std::uint64_t>(step_ - 1))},
         {"parameters", static_cast<double>(program_->parameter_count())},
         {"flops_per_example", static_cast<double>(cost.forward_flops)},
         {"flops_total", flops_total_}}));
    if (watcher_)
        watcher_({step_, length_.total_steps, epoch, train_loss, validation.loss,
                  validation.accuracy, 0});
    ESPER_CHECK_STATUS(save_if_due(is_best));
    // The edits of this boundary are in the journal; run.json names the Program they led to.
    ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
    return std::optional<Trouble>{};
}

Status Trainer::save_if_due(bool is_best) {
    if (is_best) return save(CheckpointKind::kBest);
    const auto& every = config_.checkpoint.every;
    bool due = false;
    if (const auto steps = every.steps(length_.steps_per_epoch, length_.total_steps)) {
        due = step_ % std::max<std::int64_t>(1, *steps) == 0;
    } else if (step_ % length_.steps_per_epoch == 0) {
        const double since = static_cast<double>(system_clock().now_ns() - saved_ns_) * 1e-9;
        due = since >= every.in_seconds().value_or(0);
    }
    return due ? save(CheckpointKind::kRegular) : Status{};
}

Result<RunStatus> Trainer::run() {
    auto status = train_to_the_end();
    // Nothing more can be done about a run.json that cannot be written either.
    if (!status) static_cast<void>(finish(RunStatus::kFailed));
    return status;
}

Result<RunStatus> Trainer::train_to_the_end() {
    restart_loader();
    ESPER_TRY(auto trained, engine_.as_trained(program_));
    ESPER_TRY(auto cost, graph::count_cost(*trained));
    auto costed = program_;
    auto last_report = system_clock().now_ns();
    auto last_step = step_;
    while (step_ < length_.total_steps) {
        if (stop_.load() || step_ >= stop_at_) {
            if (saved_step_ != step_) ESPER_CHECK_STATUS(save(CheckpointKind::kStopped));
            ESPER_CHECK_STATUS(finish(RunStatus::kStopped));
            return RunStatus::kStopped;
        }
        std::optional<Trouble> trouble;
        Step step;
        if (rollback_requested_.exchange(false)) {
            trouble = Trouble{TroubleKind::kRequest, "it was asked for", "{}"};
        } else {
            ESPER_TRY(step, train_step());
            trouble = step.trouble;
            flops_total_ += static_cast<double>(cost.training_flops) * config_.data.batch_size;
        }
        if (!trouble) {
            epoch_loss_sum_ += step.loss;
            if (step_ % length_.steps_per_epoch == 0) {
                ESPER_TRY(trouble, end_epoch());
            } else {
                ESPER_CHECK_STATUS(save_if_due(false));
            }
        }
        if (trouble) {
            ESPER_CHECK_STATUS(roll_back(*trouble));
            last_step = step_;
        }
        if (program_ != costed) {
            ESPER_TRY(trained, engine_.as_trained(program_));
            ESPER_TRY(cost, graph::count_cost(*trained));
            costed = program_;
        }
        const auto now = system_clock().now_ns();
        if (watcher_ && !trouble && now - last_report > 200'000'000) {
            const double rate = static_cast<double>((step_ - last_step) * config_.data.batch_size) /
                                (static_cast<double>(now - last_report) * 1e-9);
            watcher_({step_, length_.total_steps, step_ / length_.steps_per_epoch, step.loss,
                      std::nullopt, std::nullopt, rate});
            last_report = now;
            last_step = step_;
        }
    }
    // Before anything that is written down after the last step: what a kill from here on makes the
    // run do again is cut off first.
    if (saved_step_ != step_) ESPER_CHECK_STATUS(save(CheckpointKind::kRegular));
    if (dataset_->size(Part::kTest) > 0) {
        ESPER_TRY(test_, evaluate_part(engine_, program_, store_, *dataset_, Part::kTest,
                                       static_cast<std::uint32_t>(config_.data.batch_size)));
    }
    ESPER_TRY(const auto sampling,
              record_sample({engine_, program_, store_, dataset_->info(), folder_}, config_,
                            "at the end", step_, step_ / length_.steps_per_epoch));
    flops_total_ += sampling;
    ESPER_CHECK_STATUS(finish(RunStatus::kDone));
    return RunStatus::kDone;
}

Status Trainer::finish(RunStatus status) {
    loader_.reset();
    return write_run_json(status);
}

}  // namespace esper::tolaria
