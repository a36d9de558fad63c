#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/graph/journal.h"
#include "esper/services/tolaria/checkpoint.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/engine.h"
#include "esper/services/tolaria/evaluation.h"
#include "esper/services/tolaria/growth.h"
#include "esper/services/tolaria/optimizer.h"
#include "esper/services/tolaria/run_folder.h"
#include "esper/services/tolaria/setup.h"

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
/// Owns the host's tensors, the optimizer and the run's folder. Not thread-safe but for
/// request_stop().
class Trainer {
  public:
    /// A new run in `folder`. Errors: those of data, host and folder.
    static Result<std::unique_ptr<Trainer>> create(const configs::EsperConfig& config,
                                                   const std::filesystem::path& folder);
    /// The run in `folder`, as its newest whole checkpoint left it.
    /// Errors: kBadRunFolder, kChangedRun, those of the checkpoint.
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

    /// Trains to the end or to a stop. The folder's run.json says how it ended.
    Result<RunStatus> run();

    const configs::EsperConfig& config() const { return config_; }  ///< resolved
    /// Places where a seed may live; 0 where growth is off.
    std::size_t seed_slots() const { return growth_ ? growth_->kasmina().slots().size() : 0; }
    const DatasetInfo& data() const { return dataset_->info(); }
    const graph::ProgramPtr& program() const { return program_; }
    graph::TensorStore& store() { return store_; }
    Engine& engine() { return engine_; }
    std::int64_t step() const { return step_; }
    const RunLength& length() const { return length_; }

  private:
    Trainer(configs::EsperConfig config, RunFolder folder);
    Status prepare();
    Status choose_precision();
    Result<double> train_step();
    Status end_epoch();
    Status finish(RunStatus status);
    Status save(bool is_best);
    Status load(const Checkpoint& checkpoint);
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
    graph::ProgramPtr program_;
    graph::TensorStore store_;
    Engine engine_;
    Optimizer optimizer_;
    std::optional<graph::Journal> journal_;
    std::unique_ptr<Growth> growth_;  ///< absent where growth is off
    std::unique_ptr<PrefetchingLoader> loader_;
    std::function<void(const Progress&)> watcher_;
    std::atomic<bool> stop_{false};

    std::int64_t step_ = 0;
    std::int64_t initial_parameters_ = 0;
    double epoch_loss_sum_ = 0;
    std::vector<double> train_losses_;
    std::vector<double> validation_losses_;
    std::vector<double> validation_accuracies_;
    double flops_total_ = 0;
    double wall_seconds_before_ = 0;
    std::int64_t started_ns_ = 0;
    std::optional<Evaluation> test_;
};

}  // namespace esper::tolaria
