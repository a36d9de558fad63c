#include "esper/services/tolaria/run/trainer.h"

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "esper/base/processor.h"
#include "esper/configs/yaml.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/run_files.h"
#include "esper/services/tolaria/data/tokenizer.h"
#include "esper/services/tolaria/grow/policy_choice.h"
#include "esper/services/tolaria/host/begun_host.h"
#include "esper/services/tolaria/host/imported_host.h"
#include "esper/services/tolaria/host/whole_paths.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/learn/layer_rates.h"
#include "esper/services/tolaria/learn/text_samples.h"
#include "esper/services/tolaria/run/determinism.h"
#include "esper/services/tolaria/run/early_stopping.h"
#include "esper/services/tolaria/run/precision_choice.h"
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

namespace {

Learner::Options learner_options(const configs::EsperConfig& config, const StopSignal& stop,
                                 std::shared_ptr<graph::SeedKernels> kernels) {
    auto options = Learner::options_of(config);
    options.kernels = std::move(kernels);
    options.stop = &stop;
    options.seed_faults = true;
    return options;
}

}  // namespace

Trainer::Trainer(configs::EsperConfig config, records::RunFolder folder, Clock& clock,
                 KernelSupplyPtr kernels)
    : config_(std::move(config)),
      folder_(std::move(folder)),
      clock_(clock),
      ring_(folder_.checkpoints(), config_.checkpoint.keep),
      kernel_supply_(std::move(kernels)),
      learner_(learner_options(config_, stop_, kernels_)),
      inbox_(folder_.path()),
      spikes_(config_.checkpoint.rollback),
      mean_(config_.optimization.ema) {}

Trainer::~Trainer() = default;

Result<std::unique_ptr<Trainer>> Trainer::make(const configs::EsperConfig& config,
                                               records::RunFolder folder, Clock& clock,
                                               KernelSupplyPtr kernels,
                                               std::shared_ptr<const Dataset> data,
                                               graph::ProgramPtr host) {
    std::unique_ptr<Trainer> trainer(
        new Trainer(config, std::move(folder), clock, std::move(kernels)));
    auto& threads = trainer->config_.run.threads;
    if (threads == 0) threads = physical_cores();
    at::set_num_threads(threads);
    refuse_varying_operators(config.run.deterministic);
    trainer->dataset_ = std::move(data);
    trainer->host_ = std::move(host);
    ESPER_TRY(trainer->images_, GrowingImages::make(config, trainer->dataset_, *trainer->host_));
    ESPER_TRY(trainer->length_, planned_length(config, *trainer->dataset_, trainer->host_));
    trainer->course_ = course_of(config, trainer->length_);
    ESPER_TRY(const auto costs, size_costs(config, trainer->dataset_->info(), *trainer->host_));
    trainer->course_.expect(prices_of(costs));
    ESPER_TRY(trainer->soft_, soft_targets_of(config, *trainer->dataset_));
    ESPER_CHECK_STATUS(check_parameter_keys(config.optimization, *trainer->host_));
    trainer->initial_parameters_ = trainer->host_->parameter_count();
    trainer->started_ns_ = clock.now_ns();
    if (config.telemetry.event_times) ESPER_CHECK_STATUS(trainer->folder_.note_times());
    ESPER_CHECK_STATUS(trainer->learner_.begin(trainer->host_));
    return trainer;
}

Result<std::unique_ptr<Trainer>> Trainer::create(const configs::EsperConfig& wanted,
                                                 const std::filesystem::path& folder, Clock& clock,
                                                 KernelSupplyPtr kernels) {
    auto config = with_whole_paths(wanted);
    ESPER_TRY(auto data, open_data(config));
    ESPER_CHECK_STATUS(check_batch_size(config, *data));
    ESPER_TRY(auto host, make_host(config, data->info()));
    ESPER_CHECK_STATUS(GrowingImages::make(config, data, *host));
    if (config.growth.enabled) ESPER_CHECK_STATUS(growth_places(config.growth, host));
    ESPER_TRY(config.controller.policy, choose_policy(config, host));
    ESPER_TRY(auto opened, records::RunFolder::create(folder));
    ESPER_TRY(auto trainer, make(config, std::move(opened), clock, std::move(kernels), data, host));
    if (is_exported_model(config))
        ESPER_CHECK_STATUS(load_host_weights(config, trainer->learner_.store()));
    ESPER_CHECK_STATUS(trainer->settle_precision());
    ESPER_CHECK_STATUS(
        write_file_atomic(folder / "config.yaml", configs::to_yaml(trainer->config_)));
    if (const auto& tokenizer = data->info().tokenizer; tokenizer && !tokenizer->source().empty())
        ESPER_CHECK_STATUS(
            write_file_atomic(folder / records::kTokenizerFile, tokenizer->source()));
    ESPER_TRY(trainer->journal_, graph::Journal::create(trainer->folder_.journal(), *host));
    ESPER_CHECK_STATUS(trainer->start_growth());
    ESPER_CHECK_STATUS(trainer->folder_.note_session(0));
    // run.json last: a folder that has one can be resumed.
    ESPER_CHECK_STATUS(trainer->save(CheckpointKind::kRegular));
    ESPER_CHECK_STATUS(trainer->write_run_json(RunStatus::kRunning));
    return trainer;
}

Result<std::unique_ptr<Trainer>> Trainer::resume(const configs::EsperConfig& wanted,
                                                 const std::filesystem::path& folder, Clock& clock,
                                                 KernelSupplyPtr kernels) {
    ESPER_TRY(auto opened, records::RunFolder::open(folder));
    ESPER_TRY(const auto change, check_resume(opened, with_whole_paths(wanted)));
    auto opened_data = open_data(change.config);
    if (!opened_data)
        return fail(opened_data.error().within(
            "the run's data cannot be opened (if it has moved, say where it is: data.path=PATH)"));
    const auto data = *opened_data;
    ESPER_TRY(auto host, make_host(change.config, data->info()));
    ESPER_TRY(const auto entries, graph::read_journal(opened.journal()));
    host = as_begun(host, entries.front().initial);
    ESPER_TRY(auto trainer,
              make(change.config, std::move(opened), clock, std::move(kernels), data, host));
    ESPER_TRY(const auto record, trainer->folder_.read_run_json());
    trainer->waiting_for_ = records::text_of(record, "waiting_for");
    ESPER_CHECK_STATUS(trainer->start_growth());
    ESPER_TRY(const auto checkpoint, trainer->ring_.newest());
    ESPER_TRY(const auto state, read_saved_run(checkpoint));
    ESPER_CHECK_STATUS(trainer->load(state, checkpoint.tensors));
    ESPER_CHECK_STATUS(check_unfinished(trainer->folder_, trainer->now_.step, trainer->course_,
                                        trainer->spent(), trainer->ends_early()));
    ESPER_CHECK_STATUS(trainer->folder_.cut_back(state.lengths));
    ESPER_CHECK_STATUS(trainer->folder_.note_session(trainer->wall_seconds()));
    ESPER_CHECK_STATUS(
        write_changes(change, trainer->folder_, trainer->now_.step, trainer->now_.epoch));
    if (trainer->growth_)
        ESPER_CHECK_STATUS(trainer->growth_->kernels().report_lost(trainer->now_));
    ESPER_CHECK_STATUS(trainer->write_run_json(RunStatus::kRunning));
    return trainer;
}

// The choice is written into the resolved configuration, so that a resumed run does not choose
// again.
Status Trainer::settle_precision() {
    if (config_.run.precision != configs::Precision::kAuto) return {};
    ESPER_TRY(const auto choice, choose_precision(config_, learner_, *images_, clock_, flops_));
    config_.run.precision = choice.chosen;
    if (choice.chosen == configs::Precision::kBf16)
        learner_.engine().set_precision(graph::Precision::kBFloat16);
    nlohmann::json detail{{"chosen", contracts::to_text(choice.chosen)}, {"why", choice.why}};
    if (choice.fp32_ms) detail["fp32_ms"] = *choice.fp32_ms;
    if (choice.bf16_ms) detail["bf16_ms"] = *choice.bf16_ms;
    return folder_.event("precision", 0, 0, std::move(detail));
}

void Trainer::restart_loader() {
    LoaderOptions options;
    options.variation_seed = config_.run.seed;
    options.first_step = static_cast<std::uint64_t>(now_.step);
    if (!course_.has_budget()) options.end_step = static_cast<std::uint64_t>(length_.total_steps);
    options.workers = static_cast<std::size_t>(config_.data.workers);
    options.soft = soft_;
    loader_ = std::make_unique<PrefetchingLoader>(
        images_->now(), Part::kTrain,
        BatchPlan::shuffled(train_examples(config_, *dataset_),
                            static_cast<std::uint32_t>(config_.data.batch_size), config_.run.seed),
        options);
}

Status Trainer::start_growth() {
    if (!config_.growth.enabled) return {};
    // A kernel is compiled for one size.
    const auto supply = images_->grow() ? KernelSupplyPtr{} : kernel_supply_;
    ESPER_TRY(growth_, Growth::create({config_, learner_, *images_, folder_, length_, course_,
                                       [this](std::int64_t step) { return rate_at(step); }, flops_,
                                       supply, kernels_, soft_}));
    growth_->kasmina().on_edit(
        [this](const graph::Edit& edit, const graph::Program& after, std::string reason) {
            return journal_->append(edit, after, static_cast<std::uint64_t>(now_.step),
                                    std::move(reason));
        });
    return {};
}

Result<RunStatus> Trainer::run() {
    auto status = train_to_the_end();
    if (!status && status.error().is(TolariaError::kStopped)) status = stop_inside_work();
    // Nothing more can be done about a run.json that cannot be written either.
    if (!status) static_cast<void>(end(RunStatus::kFailed));
    return status;
}

Status Trainer::count_training_cost() {
    if (learner_.program() == costed_) return {};
    ESPER_TRY(const auto trained, learner_.engine().as_trained(learner_.program()));
    ESPER_TRY(cost_, cost_on(*trained, images_->info()));
    ESPER_TRY(const auto alone, cost_on(*learner_.program(), images_->info()));
    shadow_flops_ = training_flops(cost_, 1) - training_flops(alone, 1);
    costed_ = learner_.program();
    return {};
}

double Trainer::spent() const {
    return course_.budget().of == configs::Budget::Of::kSeconds ? wall_seconds()
                                                                : flops_.budgeted();
}

double Trainer::seconds_of_this_command() const {
    return static_cast<double>(clock_.now_ns() - started_ns_) * 1e-9;
}

bool Trainer::is_out_of_time() const {
    const double limit = config_.run.max_duration.in_seconds().value_or(0);
    return limit > 0 && seconds_of_this_command() >= limit;
}

// A seed that is awake may still lower the loss.
std::string Trainer::ends_early() const {
    if (now_.step != last_boundary_ || (growth_ && growth_->has_seeds())) return "";
    if (!images_->are_whole()) return "";
    return why_it_learns_no_more(config_.optimization.early_stopping, losses_at_this_size());
}

// A checkpoint of the trunk is written where the cool-down of a smaller budget begins.
Status Trainer::note_course() {
    if (!course_.has_budget()) return {};
    const double step_cost = training_flops(cost_, examples_a_step(config_, *dataset_));
    return course_.note(now_.step, spent(), step_cost) ? save(CheckpointKind::kTrunk) : Status{};
}

Result<RunStatus> Trainer::train_to_the_end() {
    restart_loader();
    measure_rate_anew();
    reported_ns_ = clock_.now_ns();
    reported_step_ = now_.step;
    while (true) {
        const bool over = course_.is_over(now_.step, spent());
        // A budget may end inside an epoch, which is then shorter.
        if (over && now_.step == last_boundary_) break;
        ended_early_ = ends_early();
        if (!ended_early_.empty()) break;
        ESPER_CHECK_STATUS(heed_requests());
        if (stop_.is_requested() || now_.step >= stop_at_ || is_out_of_time()) {
            if (saved_step_ != now_.step) ESPER_CHECK_STATUS(save(CheckpointKind::kStopped));
            ESPER_CHECK_STATUS(end(RunStatus::kStopped));
            return RunStatus::kStopped;
        }
        std::optional<Trouble> trouble;
        if (!over) {
            ESPER_TRY(trouble, mind_splits());
        }
        if (!over && !trouble) ESPER_CHECK_STATUS(mind_images());
        ESPER_CHECK_STATUS(count_training_cost());
        Step step;
        if (!trouble && rollback_requested_.exchange(false)) {
            trouble = Trouble{TroubleKind::kRequest, "it was asked for", "{}"};
        } else if (!trouble && !over) {
            ESPER_CHECK_STATUS(note_course());
            ESPER_TRY(step, train_step());
            trouble = step.trouble;
        }
        if (!trouble) {
            curves_.epoch_loss_sum += step.loss;
            if (over || now_.step % length_.steps_per_epoch == 0) {
                ESPER_TRY(trouble, end_epoch());
            } else {
                ESPER_CHECK_STATUS(save_if_due(false));
            }
        }
        if (trouble) {
            ESPER_CHECK_STATUS(roll_back(blame_split(*trouble)));
            reported_step_ = now_.step;
            measure_rate_anew();
        } else {
            report_progress(step.loss);
        }
    }
    return finish_run();
}

void Trainer::measure_rate_anew() {
    rate_since_ = wall_seconds();
    rate_since_step_ = now_.step;
}

void Trainer::report_progress(double loss) {
    constexpr std::int64_t kEveryNs = 200'000'000;
    const auto time = clock_.now_ns();
    if (!watcher_ || time - reported_ns_ <= kEveryNs) return;
    const double rate =
        static_cast<double>((now_.step - reported_step_) * examples_a_step(config_, *dataset_)) /
        (static_cast<double>(time - reported_ns_) * 1e-9);
    watcher_({now_.step, course_.total_steps(now_.step), now_.epoch, loss, std::nullopt, {}, rate});
    reported_ns_ = time;
    reported_step_ = now_.step;
}

Result<RunStatus> Trainer::finish_run() {
    // Before anything that is written down after the last step: what a kill from here on makes the
    // run do again is cut off first.
    if (saved_step_ != now_.step) ESPER_CHECK_STATUS(save(CheckpointKind::kRegular));
    if (!ended_early_.empty())
        ESPER_CHECK_STATUS(
            folder_.event("ended_early", now_.step, now_.epoch, {{"reason", ended_early_}}));
    const StopSignal::Heeded heeded(stop_);
    const double begun = wall_seconds();
    if (dataset_->size(Part::kTest) > 0) ESPER_CHECK_STATUS(test_the_best());
    {
        const WeightMean::Shown shown(mean_, learner_.store());
        ESPER_TRY(const auto sampling, record_sample({learner_.engine(), learner_.program(),
                                                      learner_.store(), dataset_->info(), folder_},
                                                     config_, "at the end", now_.step, now_.epoch));
        flops_.sampling += sampling;
    }
    seconds_.test += wall_seconds() - begun;
    ESPER_CHECK_STATUS(end(RunStatus::kDone));
    return RunStatus::kDone;
}

// The network that `esper eval` and `esper export` take, so that all of them tell of one.
Status Trainer::test_the_best() {
    Learner* tested = &learner_;
    LearnerAt best{nullptr, now_.step};
    test_checkpoint_ = curves_.best_step >= 0 ? "best" : "last";
    if (curves_.best_step >= 0 && curves_.best_step != now_.step) {
        ESPER_TRY(const auto file, ring_.find("best"));
        ESPER_TRY(const auto checkpoint, read_checkpoint(file));
        ESPER_TRY(best, read_learner(checkpoint, learner_.options_for_clone()));
        tested = best.learner.get();
    }
    test_step_ = best.step;
    const WeightMean::Shown shown(mean_, learner_.store());
    ESPER_TRY(test_, evaluate_part(tested->engine(), tested->program(), tested->store(), *dataset_,
                                   Part::kTest, static_cast<std::uint32_t>(config_.data.batch_size),
                                   0, Figures::kWithClasses));
    ESPER_TRY(const auto cost, graph::count_cost(*tested->program()));
    flops_.test += forward_flops(cost, test_->examples);
    if (best.learner) flops_.recording += best.learner->engine().take_recording_flops();
    return {};
}

// What was going on is given up: a half-made boundary cannot be gone on with. Memory and files
// become what the newest checkpoint says, as if the process had been killed and resumed.
Result<RunStatus> Trainer::stop_inside_work() {
    ESPER_TRY(const auto checkpoint, ring_.newest());
    ESPER_TRY(const auto state, read_saved_run(checkpoint));
    const double spent = wall_seconds();
    ESPER_CHECK_STATUS(start_over_from(state, checkpoint.tensors));
    wall_seconds_before_ = spent;
    test_.reset();
    ESPER_CHECK_STATUS(folder_.cut_back(state.lengths));
    ESPER_CHECK_STATUS(end(RunStatus::kStopped));
    return RunStatus::kStopped;
}

Status Trainer::end(RunStatus status) {
    loader_.reset();
    return write_run_json(status);
}

}  // namespace esper::tolaria
