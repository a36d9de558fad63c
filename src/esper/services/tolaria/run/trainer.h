#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/clock.h"
#include "esper/configs/config.h"
#include "esper/program/edits/journal.h"
#include "esper/services/records/run_control.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/grow/growth.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/checkpoint.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/learner.h"
#include "esper/services/tolaria/learn/metrics.h"
#include "esper/services/tolaria/learn/weight_mean.h"
#include "esper/services/tolaria/run/saved_run.h"
#include "esper/services/tolaria/run/spike_detector.h"

namespace esper::tolaria {

/// What the trainer tells whoever watches; called on the training thread.
struct Progress {
    std::int64_t step = 0;
    std::int64_t total_steps = 0;
    std::int64_t epoch = 0;
    double train_loss = 0;
    std::optional<double> validation_loss;  ///< set at the end of an epoch
    TaskMetrics validation_metrics;         ///< with it
    double examples_per_second = 0;
};

enum class RunStatus { kRunning, kDone, kStopped, kFailed };
std::string_view to_text(RunStatus status);

/// One training run: batches in, losses and checkpoints out (architecture.md, the walk of one run).
/// Owns the learner, the growth and the run's folder. What it does when a seed fails or the loss
/// runs away is told in docs/reliability.md. Not thread-safe but for request(), request_stop() and
/// request_rollback().
class Trainer {
  public:
    using KernelSupplyPtr = std::shared_ptr<ports::KernelSupply>;

    /// A new run in `folder`. Time comes from `clock`, which must outlive the trainer; native
    /// kernels for seeds come from `kernels`, without which seeds run as operators.
    /// Errors: those of data, host and folder; kUnsupported for a batch larger than the training
    /// part.
    static Result<std::unique_ptr<Trainer>> create(const configs::EsperConfig& config,
                                                   const std::filesystem::path& folder,
                                                   Clock& clock = system_clock(),
                                                   KernelSupplyPtr kernels = {});
    /// The run in `folder`, as its newest whole checkpoint left it. Where `config` says `auto` or 0
    /// threads, the run's own choice holds.
    /// Errors: kBadRunFolder, kFolderInUse, kAlreadyDone, kChangedRun, those of the checkpoint.
    static Result<std::unique_ptr<Trainer>> resume(const configs::EsperConfig& config,
                                                   const std::filesystem::path& folder,
                                                   Clock& clock = system_clock(),
                                                   KernelSupplyPtr kernels = {});
    ~Trainer();

    void on_progress(std::function<void(const Progress&)> watcher) {
        watcher_ = std::move(watcher);
    }
    /// Called with each event as it is written into events.jsonl, on the training thread.
    void on_event(std::function<void(const nlohmann::json&)> listener) {
        folder_.on_event(std::move(listener));
    }
    /// Ends the run after the step in progress, with a checkpoint. What is going on between two
    /// epochs or after the last step (measuring, forks, readouts, validation, test, samples) ends
    /// at its next pass through the network; the run is then at its newest checkpoint again, and
    /// does that work anew when it is resumed. Safe from a signal handler.
    void request_stop() { stop_.request(); }
    /// run() then stops after so many more steps, with all that belongs to the last of them.
    void stop_after(std::int64_t steps) { stop_at_ = now_.step + steps; }
    /// Goes back to the last checkpoint after the step in progress, and shuts the slot of the seed
    /// that was blended in since. Safe from a signal handler.
    void request_rollback() { rollback_requested_.store(true); }

    /// What a person asks for; it is carried out after the step in progress and becomes an event.
    void request(records::ControlRequest request) { inbox_.put(std::move(request)); }

    /// Trains to the end or to a stop. The folder's run.json says how it ended.
    Result<RunStatus> run();

    const configs::EsperConfig& config() const { return config_; }  ///< resolved
    /// Places where a seed may live; 0 where growth is off.
    std::size_t seed_slots() const { return growth_ ? growth_->kasmina().slots().size() : 0; }
    const DatasetInfo& data() const { return dataset_->info(); }
    const graph::ProgramPtr& program() const { return learner_.program(); }
    graph::TensorStore& store() { return learner_.store(); }
    Engine& engine() { return learner_.engine(); }
    /// Null where growth is off.
    Growth* growth() { return growth_.get(); }
    std::int64_t step() const { return now_.step; }
    /// Of a run with a budget, as planned before the first step.
    const RunLength& length() const { return length_; }
    const Course& course() const { return course_; }
    /// Whether run() ended because run.max_duration was over.
    bool is_out_of_time() const;

  private:
    friend struct TrainerTestAccess;
    Trainer(configs::EsperConfig config, records::RunFolder folder, Clock& clock,
            KernelSupplyPtr kernels);
    static Result<std::unique_ptr<Trainer>> make(const configs::EsperConfig& config,
                                                 records::RunFolder folder, Clock& clock,
                                                 KernelSupplyPtr kernels,
                                                 std::shared_ptr<const Dataset> data,
                                                 graph::ProgramPtr host);
    Status start_growth();
    Status settle_precision();
    void restart_loader();
    Result<RunStatus> train_to_the_end();
    Status count_training_cost();
    double spent() const;
    double seconds_of_this_command() const;
    /// Why the run ends here, before its length is over; empty where it goes on.
    std::string ends_early() const;
    Status note_course();
    void report_progress(double loss);
    void measure_rate_anew();
    Result<RunStatus> finish_run();
    Status test_the_best();
    Result<RunStatus> stop_inside_work();
    Status end(RunStatus status);

    // trainer_step.cpp
    struct Step {
        double loss = 0;
        std::optional<Trouble> trouble;  ///< the step was not made, or ought not to have been
    };
    Result<Step> train_step();
    Result<double> attempt(const std::vector<at::Tensor>& batch);
    Result<double> without_faulty_kernels(const Error& error, const std::vector<at::Tensor>& batch);
    Result<double> without_faulty_seeds(const Error& error, const std::vector<at::Tensor>& batch);
    Status take_out(const std::vector<std::uint32_t>& slots, const Error& error);
    Result<double> trial(const std::vector<std::uint32_t>& without,
                         const std::vector<at::Tensor>& batch);
    StepRule rule() const;
    double rate_at(std::int64_t step) const;
    void move_on();

    // trainer_boundary.cpp
    Result<std::optional<Trouble>> end_epoch();
    Status sample_if_due(const Evaluation& validation);
    Status save_if_due(bool is_best);

    // trainer_control.cpp
    Status heed_requests();
    Status carry_out(const records::ControlRequest& request);
    std::string why_not(records::ControlAction action) const;

    // trainer_images.cpp
    Status mind_images();
    bool images_have_changed() const;
    std::vector<double> losses_at_this_size() const;
    nlohmann::json resolution_so_far() const;

    // trainer_splits.cpp
    Result<std::optional<Trouble>> mind_splits();
    Status split(const BlockSplits::Wish& wish);
    Trouble blame_split(Trouble trouble) const;

    // trainer_rollback.cpp
    Status roll_back(const Trouble& trouble);
    Status start_over_from(const SavedRun& state, const Tensors& tensors);

    // trainer_state.cpp
    Status save(CheckpointKind kind);
    Status load(const SavedRun& state, const Tensors& tensors);
    double wall_seconds() const;
    nlohmann::json seconds_spent() const;
    Status write_run_json(RunStatus status);

    configs::EsperConfig config_;
    records::RunFolder folder_;
    Clock& clock_;
    CheckpointRing ring_;
    std::shared_ptr<const Dataset> dataset_;  ///< at its last size
    std::shared_ptr<GrowingImages> images_;   ///< the same as it is now
    RunLength length_;
    Course course_;
    std::optional<SoftTargets> soft_;  ///< of the training batches, where they are not classes
    StopSignal stop_;
    graph::ProgramPtr host_;  ///< as it was when the run started
    KernelSupplyPtr kernel_supply_;
    std::shared_ptr<graph::SeedKernels> kernels_ = std::make_shared<graph::SeedKernels>();
    Learner learner_;
    std::optional<graph::Journal> journal_;
    std::unique_ptr<Growth> growth_;  ///< absent where growth is off
    std::unique_ptr<PrefetchingLoader> loader_;
    std::function<void(const Progress&)> watcher_;
    std::atomic<bool> rollback_requested_{false};
    records::ControlInbox inbox_;
    SpikeDetector spikes_;
    RollbackHistory history_;
    KeptBuffers buffers_;
    WeightMean mean_;

    Moment now_;
    std::int64_t last_boundary_ = 0;  ///< the step after which an epoch ended last
    std::int64_t stop_at_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t initial_parameters_ = 0;
    RunCurves curves_;
    std::int64_t saved_step_ = -1;
    std::int64_t saved_ns_ = 0;
    Flops flops_;
    SpentSeconds seconds_;
    /// Cost of the Program that trains, for one example; of `costed_`. What of it are the second
    /// passes of seeds in a shadow is in `shadow_flops_`.
    graph::Cost cost_;
    double shadow_flops_ = 0;
    graph::ProgramPtr costed_;
    double wall_seconds_before_ = 0;
    // Since when, and since which step, the rate of this epoch is measured.
    double rate_since_ = 0;  ///< in wall_seconds()
    std::int64_t rate_since_step_ = 0;
    std::string ended_early_;  ///< why, where it did
    std::string waiting_for_;  ///< why nothing has germinated so far
    std::int64_t started_ns_ = 0;
    std::int64_t reported_ns_ = 0;
    std::int64_t reported_step_ = 0;
    std::optional<Evaluation> test_;
    std::string test_checkpoint_;  ///< which one it is of
    std::int64_t test_step_ = 0;
};

}  // namespace esper::tolaria
