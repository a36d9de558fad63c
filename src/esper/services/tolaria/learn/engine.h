#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "esper/configs/growth.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/engine/seed_kernels.h"
#include "esper/program/loss.h"
#include "esper/services/tolaria/learn/stop_signal.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// The results of a pass over one batch.
struct StepResult {
    double loss = 0;
    std::vector<at::Tensor> taps;
    std::vector<at::Tensor> gradient_taps;
};
struct PerExample {
    at::Tensor losses;   ///< f32 [N]
    at::Tensor correct;  ///< f32 [N], share of correct tokens per example; undefined in regression
    at::Tensor among_five;  ///< f32 [N], 1 where the class is among the five best; else undefined
    at::Tensor scores;      ///< f32 [N, K], the logits of classes or labels; else undefined
};

/// More classes than this: it is worth knowing how often the right one is among the five best.
inline constexpr std::int64_t kClassesForTopFive = 10;

/// Turns (Program, store, batch) into losses and gradients, keeping the joint Programs it records:
/// one per (Program hash, kind of pass, precision, input signature). The last input is the target;
/// its type says which loss is learnt: cross-entropy for i64, squared error for f32 [N], that of
/// soft classes for f32 [N, K], that of labels for bool [N, K], of soft labels for f32 [N, 2, K].
class Engine {
  public:
    Engine(graph::Precision precision, double label_smoothing,
           configs::Isolation isolation = configs::Isolation::kStraightThrough,
           std::shared_ptr<const graph::SeedKernels> kernels = {})
        : precision_(precision),
          label_smoothing_(label_smoothing),
          isolation_(isolation),
          kernels_(std::move(kernels)) {}

    /// Passes end with TolariaError::kStopped while the signal ends work; null: they never do.
    void heed(const StopSignal* signal) { signal_ = signal; }
    /// FLOPs of recordings since the last call; a recording runs its Program once.
    double take_recording_flops() { return std::exchange(recording_flops_, 0.0); }
    /// Names of all that is recorded, for a checkpoint: what a resumed run has to record again
    /// (assume_counted) was counted by the run that wrote it, so that both come to the same sum.
    std::vector<std::string> counted() const;
    void assume_counted(const std::vector<std::string>& names) {
        counted_ = {names.begin(), names.end()};
    }

    /// Forward and backward in training mode; gradients land in the store. `taps` are values of
    /// `program`. Errors: those of JointProgram.
    Result<StepResult> train(const graph::ProgramPtr& program, graph::TensorStore& store,
                             const std::vector<at::Tensor>& inputs,
                             const std::vector<graph::ValueId>& taps = {},
                             const std::vector<graph::ValueId>& gradient_taps = {});
    /// Like train(), but without the second passes of seeds in a shadow. For measurements.
    Result<StepResult> gradients(const graph::ProgramPtr& program, graph::TensorStore& store,
                                 const std::vector<at::Tensor>& inputs,
                                 const std::vector<graph::ValueId>& taps,
                                 const std::vector<graph::ValueId>& gradient_taps);
    /// What a training step of `program` computes, for counting its cost: with the second passes of
    /// seeds that learn in a shadow. Errors: those of graph::with_shadows.
    Result<graph::ProgramPtr> as_trained(const graph::ProgramPtr& program) const;
    /// The joint Program that train() runs; records it if necessary. For profiles. Errors: those of
    /// train().
    Result<graph::JointProgram*> training_program(
        const graph::ProgramPtr& program, graph::TensorStore& store,
        const std::vector<at::Tensor>& inputs, const std::vector<graph::ValueId>& taps = {},
        const std::vector<graph::ValueId>& gradient_taps = {}, bool shadows = true);
    /// Forward in evaluation mode, without label smoothing, per example.
    Result<PerExample> evaluate(const graph::ProgramPtr& program, graph::TensorStore& store,
                                const std::vector<at::Tensor>& inputs);
    /// As evaluate(), but in training mode: batch norms use the batch's statistics, dropout is
    /// active, buffers change. For comparing networks on one batch if the running statistics do not
    /// fit all of them.
    Result<PerExample> evaluate_in_training_mode(const graph::ProgramPtr& program,
                                                 graph::TensorStore& store,
                                                 const std::vector<at::Tensor>& inputs);
    /// A forward pass in training mode, only to update the buffers. `inputs` may end with targets,
    /// which are ignored.
    Status settle(const graph::ProgramPtr& program, graph::TensorStore& store,
                  const std::vector<at::Tensor>& inputs);
    /// Logits in evaluation mode. `inputs` without targets.
    Result<at::Tensor> logits(const graph::ProgramPtr& program, graph::TensorStore& store,
                              const std::vector<at::Tensor>& inputs);

    /// Drops the recordings of all other Programs, whose tensors may no longer exist.
    void keep_only(const std::vector<graph::ProgramPtr>& programs);
    void clear();
    graph::Precision precision() const { return precision_; }
    void set_precision(graph::Precision precision) {
        precision_ = precision;
        last_ = {};
    }

  private:
    Status check_signal() const;
    bool has_shadows(const graph::Program& program) const;
    std::uint64_t kernel_revision() const { return kernels_ ? kernels_->revision() : 0; }
    Result<StepResult> pass(const graph::ProgramPtr& program, graph::TensorStore& store,
                            const std::vector<at::Tensor>& inputs,
                            const std::vector<graph::ValueId>& taps,
                            const std::vector<graph::ValueId>& gradient_taps, bool shadows);
    Result<PerExample> per_example(const graph::ProgramPtr& program, graph::TensorStore& store,
                                   const std::vector<at::Tensor>& inputs, bool training);
    Result<graph::JointProgram*> find(const graph::ProgramPtr& program, std::string kind,
                                      graph::TensorStore& store,
                                      const std::vector<at::Tensor>& inputs, bool backward,
                                      const std::function<Result<graph::JointSpec>()>& make_spec);
    /// The training program of the step before: most steps are like it, and a small network's step
    /// is shorter than a look-up by name.
    struct Last {
        graph::ProgramPtr program;
        const graph::TensorStore* store = nullptr;
        std::vector<graph::ValueId> taps;
        std::vector<graph::ValueId> gradient_taps;
        bool shadows = false;
        std::uint64_t kernels = 0;  ///< revision of the book of kernels
        graph::JointProgram* joint = nullptr;
    };
    Last last_;
    graph::Precision precision_;
    double label_smoothing_;
    configs::Isolation isolation_;
    std::shared_ptr<const graph::SeedKernels> kernels_;  ///< null: seeds run as operators
    const StopSignal* signal_ = nullptr;
    double recording_flops_ = 0;
    std::set<std::string> counted_;  ///< names that need not be counted when they are recorded
    struct Recorded {
        const graph::TensorStore* store = nullptr;
        graph::JointProgram joint;
    };
    /// By the Program's hash, then by kind of pass, precision and inputs.
    std::map<std::string, std::multimap<std::string, Recorded>> recorded_;
};

}  // namespace esper::tolaria
