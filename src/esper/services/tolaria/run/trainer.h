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

#include "esper/configs/config.h"
#include "esper/program/edits/journal.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/grow/growth.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/buffer_keeper.h"
#include "esper/services/tolaria/learn/checkpoint.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/optimizer.h"
#include "esper/services/tolaria/run/spike_detector.h"

namespace esper::tolaria {

/// What the trainer tells whoever watches; called on the training thread.
struct Progress {
    std::int64_t step = 0;
    std::int64_t total_steps = 0;
    std::int64_t epoch = 0;
    double train_loss = 0;
    std::optional<double> validation_loss;  ///< set at the end of an epoch
    std::optional<double> validation_accuracy;
    double examples_per_second = 0;
};

enum class RunStatus { kRunning, kDone, kStopped, kFailed };
std::string_view to_text(RunStatus status);

/// One training run: batches in, losses and checkpoints out (architecture.md, the walk of one run).
/// Owns the host's tensors, the optimizer and the run's folder. What it does when a seed fails or
/// the loss runs away is told in docs/reliability.md. Not thread-safe but for request_stop() and
/// request_rollback().
class Trainer {
  public:
    /// A new run in `folder`. Errors: those of data, host and folder.
    static Result<std::unique_ptr<Trainer>> create(const configs::EsperConfig& config,
                                                   const std::filesystem::path& folder);
    /// The run in `folder`, as its newest whole checkpoint left it. Where `config` says `auto` or 0
    /// threads, the run's own choice holds.
    /// Errors: kBadRunFolder, kFolderInUse, kAlreadyDone, kChangedRun, those of the checkpoint.
    static Result<std::unique_ptr<Trainer>> resume(const configs::EsperConfig& config,
                                                   const std::filesystem::path& folder);
    ~Trainer();

    void on_progress(std::function<void(const Progress&)> watcher) {
        watcher_ = std::move(watcher);
    }
    /// Called with each event as it is written into events.jsonl, on the training thread.
    void on_event(std::function<void(const nlohmann::json&)> listener) {
        folder_.on_event(std::move(listener));
    }
    /// Ends the run after the step in progress, with a checkpoint. Safe from a signal handler.
    void request_stop() { stop_.store(true); }
    /// run() then stops, in the same way, after so many more steps.
    void stop_after(std::int64_t steps) { stop_at_ = step_ + steps; }
    /// Goes back to the last checkpoint after the step in progress, and shuts the slot of the seed
    /// that was blended in since. Safe from a signal handler.
    void request_rollback() { rollback_requested_.store(true); }

    /// Trains to the end or to a stop. The folder's run.json says how it ended.
    Result<RunStatus> run();

    const configs::EsperConfig& config() const { return config_; }  ///< resolved
    /// Places where a seed may live; 0 where growth is off.
    std::size_t seed_slots() const { return growth_ ? growth_->kasmina().slots().size() : 0; }
    const DatasetInfo& data() const { return dataset_->info(); }
    const graph::ProgramPtr& program() const { return program_; }
    graph::TensorStore& store() { return store_; }
    Engine& engine() { return engine_; }
    /// Null where growth is off.
    Growth* growth() { return growth_.get(); }
    std::int64_t step() const { return step_; }
    const RunLength& length() const { return length_; }

  private:
    friend struct TrainerTestAccess;
    Trainer(configs::EsperConfig config, RunFolder folder);
    Status prepare();
    Status choose_precision();
    Result<RunStatus> train_to_the_end();
    struct Step {
        double loss = 0;
        std::optional<Trouble> trouble;  ///< the step was not made, or ought not to have been
    };
    Result<Step> train_step();
    Result<double> attempt(const std::vector<at::Tensor>& batch);
    Result<double> without_faulty_seeds(const Error& error, const std::vector<at::Tensor>& batch);
    Status take_out(const std::vector<std::uint32_t>& slots, const Error& error);
    Result<double> trial(const std::vector<std::uint32_t>& without,
                         const std::vector<at::Tensor>& batch);
    Optimizer::Report move_parameters();
    double rate() const;
    void forget_optimizer_state_of_the_gone();
    Result<std::optional<Trouble>> end_epoch();
    Status save_if_due(bool is_best);
    Status finish(RunStatus status);
    Status roll_back(const Trouble& trouble);
    Status start_over_from(const Checkpoint& checkpoint);
    Status save(CheckpointKind kind);
    Status load(const Checkpoint& checkpoint);
    Status cut_back_files(const Checkpoint& checkpoint);
    Status write_run_json(RunStatus status);
    void restart_loader();
    Status start_growth();
    Status rebuild_store(const graph::ProgramPtr& program, const std::vector<std::string>& blocks);
    BlockSettings settings_of(const std::string& block) const;

    configs::EsperConfig config_;
    RunFolder folder_;
    CheckpointRing ring_;
    std::shared_ptr<const Dataset> dataset_;
    RunLength length_;
    LearningRateSchedule schedule_;
    graph::ProgramPtr host_;  ///< as it was when the run started
    graph::ProgramPtr program_;
    graph::TensorStore store_;
    Engine engine_;
    Optimizer optimizer_;
    std::optional<graph::Journal> journal_;
    std::unique_ptr<Growth> growth_;  ///< absent where growth is off
    std::unique_ptr<PrefetchingLoader> loader_;
    std::function<void(const Progress&)> watcher_;
    std::atomic<bool> stop_{false};
    std::atomic<bool> rollback_requested_{false};
    SpikeDetector spikes_;
    RollbackHistory history_;
    BufferKeeper buffers_;
    std::vector<std::string> not_finite_;  ///< blocks, of the last attempt

    std::int64_t step_ = 0;
    std::int64_t stop_at_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t initial_parameters_ = 0;
    double epoch_loss_sum_ = 0;
    std::vector<double> train_losses_;
    std::vector<double> validation_losses_;
    std::vector<double> validation_accuracies_;
    double best_loss_ = 0;
    std::int64_t best_step_ = -1;  ///< -1: none yet
    std::int64_t saved_step_ = -1;
    std::int64_t saved_ns_ = 0;
    double flops_total_ = 0;
    double wall_seconds_before_ = 0;
    std::int64_t started_ns_ = 0;
    std::optional<Evaluation> test_;
};

}  // namespace esper::tolaria
