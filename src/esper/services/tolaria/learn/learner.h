#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/program/edits/split_block.h"
#include "esper/services/tolaria/learn/checkpoint.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/optimizer.h"
#include "esper/services/tolaria/learn/saved_learner.h"

namespace esper::tolaria {

/// How one training step is made.
struct StepRule {
    std::int64_t step = 0;  ///< counted from the start of the run; dropout's masks depend on it
    double rate = 0;        ///< the host's learning rate
    /// The settings of a block that has made `age` steps.
    std::function<BlockSettings(const std::string& block, std::int64_t age)> settings;
};

/// A network in training: its Program, its tensors, the engine that runs it and the optimizer that
/// updates it. The run has one Learner, and so has each fork. If the network grows, KasminaLayer
/// owns the Program and passes each change to adopt(). A Learner cannot be moved, because the
/// engine's recorded lists refer to its tensors. Use it from one thread.
class Learner {
  public:
    struct Options {
        graph::TensorStore::Options store = {};
        configs::OptimizationConfig optimization = {};
        configs::Isolation isolation = configs::Isolation::kStraightThrough;
        graph::Precision precision = graph::Precision::kFloat32;
        const StopSignal* stop = nullptr;  ///< ends work beside the steps
        /// Null: seeds run as operators.
        std::shared_ptr<graph::SeedKernels> kernels = {};
        bool seed_faults = false;  ///< passes the fault points of seeds (seed_faults.h)
    };
    /// The options of a configuration; precision `auto` counts as fp32 until it is decided.
    static Options options_of(const configs::EsperConfig& config);

    explicit Learner(const Options& options);
    Learner(const Learner&) = delete;
    Learner& operator=(const Learner&) = delete;

    /// Starts with a Program and new values; its parameters become the block `host`. Replaces the
    /// learner's previous state.
    Status begin(graph::ProgramPtr host);

    const graph::ProgramPtr& program() const { return program_; }
    graph::TensorStore& store() { return store_; }
    const graph::TensorStore& store() const { return store_; }
    Engine& engine() { return engine_; }
    const Optimizer& optimizer() const { return optimizer_; }

    /// Replaces the network by `program`, whose tensors are or will be in the store. Drops the
    /// optimizer's state of blocks that the network no longer has.
    void adopt(graph::ProgramPtr program);

    /// Gives the copy that a split has added to the Program its tensors, as the block `copy` of the
    /// store: values, running statistics, the optimizer's moments and step count are the source's;
    /// what is to be halved is halved in both. Errors: kUnknownName.
    Status fill_copy(const graph::SplitTensors& tensors, const std::string& copy);

    /// One training step on a batch {inputs, targets}: forward, backward and, where the loss and
    /// all gradients are finite, a move of the parameters. `taps` are values of the Program that
    /// are returned with their gradients. Errors: KernelError::kNotFinite, nothing has moved then;
    /// those of the engine.
    Result<StepResult> step(const std::vector<at::Tensor>& batch, const StepRule& rule,
                            const std::vector<graph::ValueId>& taps = {});
    /// The second half of a step: updates the parameters by the gradients in the store.
    Optimizer::Report move(const StepRule& rule);

    /// Options for another learner that trains in the same way.
    Options options_for_clone() const;
    /// A copy of this learner without some seeds, with its own tensors, engine and optimizer.
    /// Errors: those of graph::apply.
    Result<std::unique_ptr<Learner>> clone_without(const std::vector<std::string>& seeds) const;

    /// Puts the tensors into `tensors` under names that begin with `prefix`; returns the rest.
    SavedLearner save(const std::string& prefix, Tensors& tensors) const;
    /// Restores a saved state. Errors: kBadCheckpoint, those of reading a Program.
    Status restore(const SavedLearner& saved, const std::string& prefix, const Tensors& tensors);

  private:
    Result<StepResult> pass_in_pieces(const std::vector<at::Tensor>& batch, const StepRule& rule,
                                      const std::vector<graph::ValueId>& taps);
    Status set_dropout(std::int64_t draw);

    Options options_;
    graph::ProgramPtr program_;
    graph::TensorStore store_;
    Engine engine_;
    Optimizer optimizer_;
};

/// The learner that a checkpoint of a run holds, and the step it was saved at.
struct LearnerAt {
    std::unique_ptr<Learner> learner;
    std::int64_t step = 0;
};
/// Reads it whatever the rest of the checkpoint is. Its weights are their running mean where the
/// run kept one (WeightMean). `options` say how it would train on; a network that is only run needs
/// none. Errors: kBadCheckpoint, those of reading a Program.
Result<LearnerAt> read_learner(const Checkpoint& checkpoint, const Learner::Options& options = {});

/// `program` without some seeds. Errors: those of graph::apply.
Result<graph::ProgramPtr> without_seeds(graph::ProgramPtr program,
                                        const std::vector<std::string>& seeds);

}  // namespace esper::tolaria
