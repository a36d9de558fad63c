#include "esper/services/tolaria/trainer.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "esper/base/clock.h"
#include "esper/configs/yaml.h"
#include "esper/graph/cost.h"
#include "esper/services/tolaria/batches.h"
#include "esper/services/tolaria/text_samples.h"

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
      engine_(graph::Precision::kFloat32, config_.optimization.label_smoothing),
      optimizer_(config_.optimization) {}

Trainer::~Trainer() = default;

Result<std::unique_ptr<Trainer>> Trainer::create(const configs::EsperConfig& config,
                                                 const std::filesystem::path& folder) {
    ESPER_TRY(auto data, open_data(config));
    ESPER_TRY(auto host, make_host(config, data->info()));
    ESPER_TRY(auto opened, RunFolder::create(folder));
    std::unique_ptr<Trainer> trainer(new Trainer(config, std::move(opened)));
    trainer->dataset_ = data;
    trainer->program_ = host;
    ESPER_CHECK_STATUS(trainer->prepare());
    ESPER_CHECK_STATUS(trainer->choose_precision());
    ESPER_CHECK_STATUS(
        write_file_atomic(folder / "config.yaml", configs::to_yaml(trainer->config_)));
    ESPER_TRY(trainer->journal_,
              graph::Journal::create(trainer->folder_.journal(), *trainer->program_));
    ESPER_CHECK_STATUS(trainer->start_growth());
    ESPER_CHECK_STATUS(trainer->write_run_json(RunStatus::kRunning));
    ESPER_CHECK_STATUS(trainer->save(false));
    return trainer;
}

Result<std::unique_ptr<Trainer>> Trainer::resume(const configs::EsperConfig& config,
                                                 const std::filesystem::path& folder) {
    ESPER_TRY(auto opened, RunFolder::open(folder));
    ESPER_TRY(auto data, open_data(config));
    ESPER_TRY(auto host, make_host(config, data->info()));
    std::unique_ptr<Trainer> trainer(new Trainer(config, std::move(opened)));
    trainer->dataset_ = data;
    trainer->program_ = host;
    ESPER_CHECK_STATUS(trainer->prepare());
    ESPER_CHECK_STATUS(trainer->start_growth());
    ESPER_TRY(auto checkpoint, trainer->ring_.newest());
    ESPER_CHECK_STATUS(trainer->load(checkpoint));
    return trainer;
}

Status Trainer::prepare() {
    const int threads = config_.run.threads > 0
                            ? config_.run.threads
                            : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
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
    loader_ = std::make_unique<PrefetchingLoader>(
        dataset_, Part::kTrain,
        BatchPlan::shuffled(train_examples(config_, *dataset_),
                            static_cast<std::uint32_t>(config_.data.batch_size), config_.run.seed),
        options);
}

Status Trainer::start_growth() {
    if (!config_.growth.enabled) return {};
    ESPER_TRY(growth_,
              Growth::create({config_, store_, engine_, *dataset_, folder_, length_, schedule_},
                             program_));
    growth_->kasmina().on_edit([this](const graph::Edit& edit, const graph::Program& after,
                                      std::string reason) {
        return journal_->append(edit, after, static_cast<std::uint64_t>(step_), std::move(reason));
    });
    return {};
}

BlockSettings Trainer::settings_of(const std::string& block) const {
    BlockSettings settings;
    const auto treatment = growth_ ? growth_->kasmina().treatment(block) : std::nullopt;
    if (!treatment) return settings;
    const auto& o = config_.optimization;
    const auto state = optimizer_.state().find(block);
    const auto age = state == optimizer_.state().end() ? 0 : state->second.steps;
    settings.frozen = treatment->frozen;
    settings.weight_decay = !treatment->ramping;
    settings.rate = newborn_factor(o.newborn_rate, static_cast<std::uint64_t>(o.newborn_steps),
                                   static_cast<std::uint64_t>(age));
    if (treatment->isolated) settings.clip_group = 1;
    return settings;
}

Result<double> Trainer::train_step() {
    ESPER_TRY(const Batch* batch, loader_->next());
    ESPER_TRY(auto result, engine_.train(program_, store_, as_tensors(*batch, dataset_->info())));
    if (!std::isfinite(result.loss))
        return fail(TolariaError::kDiverged,
                    "the loss became " + std::to_string(result.loss) + " at step " +
                        std::to_string(step_) +
                        "; lower optimization.learning_rate or set optimization.clip_norm");
    const auto moved =
        optimizer_.step(store_, learning_rate(schedule_, static_cast<std::uint64_t>(step_)),
                        [this](const std::string& b) { return settings_of(b); });
    ++step_;
    if (growth_) {
        ESPER_CHECK_STATUS(growth_->kasmina().tick(result.loss));
        ESPER_CHECK_STATUS(growth_->take_out_faulty(moved.not_finite, step_));
        program_ = growth_->program();
    }
    return result.loss;
}

Status Trainer::end_epoch() {
    const auto epoch = step_ / length_.steps_per_epoch;
    const double train_loss = epoch_loss_sum_ / static_cast<double>(length_.steps_per_epoch);
    epoch_loss_sum_ = 0;
    ESPER_TRY(auto validation,
              evaluate_part(engine_, program_, store_, *dataset_, Part::kValidation,
                            static_cast<std::uint32_t>(config_.data.batch_size)));
    const bool is_best =
        validation_losses_.empty() ||
        validation.loss < *std::min_element(validation_losses_.begin(), validation_losses_.end());
    train_losses_.push_back(train_loss);
    validation_losses_.push_back(validation.loss);
    validation_accuracies_.push_back(validation.accuracy);
    ESPER_TRY(auto cost, graph::count_cost(*program_));
    flops_total_ += static_cast<double>(cost.forward_flops) * validation.examples;
    if (growth_) {
        ESPER_CHECK_STATUS(growth_->at_boundary(step_, {train_losses_, validation_losses_}));
        program_ = growth_->program();
        flops_total_ += growth_->take_flops();
    }
    ESPER_CHECK_STATUS(folder_.metrics(
        {{"epoch", static_cast<double>(epoch)},
         {"step", static_cast<double>(step_)},
         {"train_loss", train_loss},
         {"val_loss", validation.loss},
         {"val_accuracy", validation.accuracy},
         {"learning_rate", learning_rate(schedule_, static_cast<std::uint64_t>(step_ - 1))},
         {"parameters", static_cast<double>(program_->parameter_count())},
         {"flops_per_example", static_cast<double>(cost.forward_flops)},
         {"flops_total", flops_total_}}));
    if (watcher_)
        watcher_({step_, length_.total_steps, epoch, train_loss, validation.loss,
                  validation.accuracy, 0});
    const auto every = std::max<std::int64_t>(
        1, config_.checkpoint.every.steps(length_.steps_per_epoch, length_.total_steps)
               .value_or(length_.steps_per_epoch));
    if (step_ % every < length_.steps_per_epoch || is_best) ESPER_CHECK_STATUS(save(is_best));
    return {};
}

Result<RunStatus> Trainer::run() {
    restart_loader();
    ESPER_TRY(auto cost, graph::count_cost(*program_));
    auto last_report = system_clock().now_ns();
    auto last_step = step_;
    while (step_ < length_.total_steps) {
        if (stop_.load()) {
            ESPER_CHECK_STATUS(save(false));
            ESPER_CHECK_STATUS(finish(RunStatus::kStopped));
            return RunStatus::kStopped;
        }
        auto loss = train_step();
        if (!loss) {
            ESPER_CHECK_STATUS(finish(RunStatus::kFailed));
            return fail(loss.error());
        }
        epoch_loss_sum_ += *loss;
        flops_total_ += static_cast<double>(cost.training_flops) * config_.data.batch_size;
        if (step_ % length_.steps_per_epoch == 0) {
            ESPER_CHECK_STATUS(end_epoch());
            ESPER_TRY(cost, graph::count_cost(*program_));
        }
        const auto now = system_clock().now_ns();
        if (watcher_ && now - last_report > 200'000'000) {
            const double rate = static_cast<double>((step_ - last_step) * config_.data.batch_size) /
                                (static_cast<double>(now - last_report) * 1e-9);
            watcher_({step_, length_.total_steps, step_ / length_.steps_per_epoch, *loss,
                      std::nullopt, std::nullopt, rate});
            last_report = now;
            last_step = step_;
        }
    }
    if (dataset_->size(Part::kTest) > 0) {
        ESPER_TRY(test_, evaluate_part(engine_, program_, store_, *dataset_, Part::kTest,
                                       static_cast<std::uint32_t>(config_.data.batch_size)));
    }
    ESPER_TRY(const auto sampling,
              record_sample({engine_, program_, store_, dataset_->info(), folder_}, config_,
                            "at the end", step_, step_ / length_.steps_per_epoch));
    flops_total_ += sampling;
    ESPER_CHECK_STATUS(save(false));
    ESPER_CHECK_STATUS(finish(RunStatus::kDone));
    return RunStatus::kDone;
}

Status Trainer::finish(RunStatus status) {
    loader_.reset();
    return write_run_json(status);
}

}  // namespace esper::tolaria
