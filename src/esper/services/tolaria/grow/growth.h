#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esper/execution/kernels/recovery.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/grow/fork.h"
#include "esper/services/tolaria/grow/readout.h"
#include "esper/services/tolaria/grow/rollback.h"
#include "esper/services/tolaria/grow/seed_lives.h"
#include "esper/services/tolaria/grow/slot_health.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {

/// Carries the growth of a run whose host is a Program: looks are taken on the probe part,
/// candidates are measured before they germinate, and forks are trained for the honest
/// counterfactual. Every decision goes into events.jsonl with its evidence.
class Growth final : public SeedLives {
  public:
    struct Context {
        const configs::EsperConfig& config;
        graph::TensorStore& store;
        Engine& engine;
        const Dataset& dataset;
        RunFolder& folder;
        RunLength length;
        LearningRateSchedule schedule;
        const Optimizer& optimizer;
        /// The run's learning rate at a step, for forks.
        std::function<double(std::int64_t step)> rate;
    };
    /// `host` must already be in the store. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<Growth>> create(const Context& context,
                                                  const graph::ProgramPtr& host);

    /// One training step's passes: forward and backward of the Program; on sampled steps with a
    /// look at what flows at the slots (growth_telemetry.cpp).
    Result<StepResult> train(const std::vector<at::Tensor>& batch, std::int64_t step);

    struct Losses {
        const std::vector<double>& train;
        const std::vector<double>& validation;
    };
    /// Everything that happens between two epochs.
    Status at_boundary(std::int64_t step, const Losses& losses);

    // What happens when seeds fail or the run goes back (growth_faults.cpp).
    bool has_seeds() const;
    /// Slots whose seeds are in the Program, likeliest culprit first: the youngest, kept ones last.
    std::vector<std::uint32_t> suspects() const;
    /// The seed failed in the pass of `step`: identity path, ERROR_RECOVERY where it was blended,
    /// CULLED with embargo; its blueprint never again at this slot. Written down as `fault`.
    Status take_out(std::uint32_t slot, const Error& error, std::int64_t step);
    /// Who is blended in during the step that leads to `step`.
    void note_active(std::int64_t step);
    /// The seed that was blended in last (not yet kept) after step `since`.
    std::optional<LockedSlot> at_fault(std::int64_t since) const;
    /// Shuts a slot for good, taking out what is in it.
    Status lock(const LockedSlot& lock, std::int64_t step);
    /// What must not go back when a run does: names of seeds, and the gates' error already spent.
    struct Carried {
        std::uint32_t names = 0;
        std::int64_t germinations = 0;
    };
    Carried carry() const;
    Status take_over(const Carried& carried);

    /// Trains all forks on to `step`; call before what `rate` says of earlier steps changes.
    Status bring_forks_to(std::int64_t step);

    /// FLOPs spent on measurements since the last call.
    double take_flops() { return std::exchange(flops_, 0.0); }

    /// Puts the tensors of forks into `tensors`; returns the rest.
    nlohmann::json save(std::map<std::string, at::Tensor>& tensors) const;
    /// Takes over a saved state; seeds' tensors must be in the store already.
    Status restore(const nlohmann::json& state, graph::ProgramPtr program,
                   const std::map<std::string, at::Tensor>& tensors);

  private:
    explicit Growth(const Context& context)
        : SeedLives(context.config, context.length), context_(context) {}
    Result<HostCost> cost(const graph::Program& program) override;
    bool may_grow_at(std::int64_t step) const override;
    Status event(const std::string& kind, std::int64_t step, nlohmann::json detail) override;
    tamiyo::SlotSignals signals(std::uint32_t slot) const override;
    bool is_excluded(std::uint32_t slot, const std::string& blueprint) const override;
    /// Keeps the host as it is for the honest counterfactual, where one is drawn.
    Status before_graft(std::uint32_t slot, std::int64_t step) override;
    Status report_health(std::int64_t step);
    // growth_measure.cpp
    ExampleSource source(std::int64_t step) const;
    /// Recomputes the run's own running statistics after an edit that shifted them.
    Status statistics_shifted(std::int64_t step) override;
    Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program, Engine& engine,
                                            graph::TensorStore& store, std::int64_t step);
    Status settle_scale(const execution::SeedSlot& slot, const graph::ProgramPtr& blended);
    Result<GateLooks> look(const tamiyo::LookRequest& request, std::int64_t step) override;
    Status measure_nominees(tamiyo::ControllerView& view, std::int64_t step) override;
    Status look_at_fork(const tamiyo::LookRequest& request, std::int64_t step,
                        const std::vector<float>& with, GateLooks& looks);
    Result<std::int64_t> bring_to(Fork& fork, std::int64_t step);
    /// The network without the slot's seed, and without those that cannot be noticed.
    Result<graph::ProgramPtr> host_without(std::uint32_t slot) const;
    void drop_forks();
    Result<ReadoutFit> fit(std::uint32_t slot, const blueprints::Blueprint& blueprint,
                           std::int64_t step);
    /// Whether the first values of its last layer, and so its gain, can be fitted.
    static bool has_fit(const blueprints::Blueprint& blueprint);
    Status measure(tamiyo::Candidate& candidate, std::int64_t step);
    // growth_germination.cpp
    Status before_germination(std::int64_t step) override;
    Status plant(const tamiyo::Decision& decision, const blueprints::Blueprint& blueprint,
                 std::int64_t step) override;
    struct FirstReadout {
        std::optional<ReadoutFit> fit = {};
        bool zero = false;
        bool rejected = false;
    };
    Result<FirstReadout> first_readout(const tamiyo::Decision& decision,
                                       const blueprints::Blueprint& blueprint, std::int64_t step);
    void set_readout(const std::string& prefix, const blueprints::Blueprint& blueprint,
                     const FirstReadout& readout);

    Context context_;
    graph::ProgramPtr host_;
    std::vector<std::uint32_t> probe_order_;
    std::optional<SlotHealth> health_;
    double flops_ = 0;
    std::int64_t step_ = 0;  ///< of this boundary
    struct KeptFork {
        std::string seed;
        std::int64_t taken = 0;
        std::unique_ptr<Fork> fork;
    };
    std::map<std::uint32_t, KeptFork> forks_;  ///< by slot
    nlohmann::json save_faults() const;
    void restore_faults(const nlohmann::json& state);
    struct Activity {
        std::string seed;
        std::string blueprint;
        std::int64_t first = 0, last = 0;  ///< steps in which it was blended in
    };
    execution::RecoveryManager recovery_;
    std::vector<std::pair<std::uint32_t, std::string>> evicted_;        ///< slot and blueprint
    std::map<std::uint32_t, Activity> activity_;                        ///< by slot
    std::map<std::pair<std::uint32_t, std::string>, ReadoutFit> fits_;  ///< of this boundary
};

}  // namespace esper::tolaria
