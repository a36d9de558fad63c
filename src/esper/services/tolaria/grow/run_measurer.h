#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/grow/fork.h"
#include "esper/services/tolaria/grow/measurer.h"
#include "esper/services/tolaria/grow/measuring_account.h"
#include "esper/services/tolaria/grow/probe_walk.h"
#include "esper/services/tolaria/grow/readout.h"
#include "esper/services/tolaria/grow/seed_places.h"
#include "esper/services/tolaria/grow/slot_health.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/learn/learner.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {

/// What a growing run consists of, for those who measure it.
struct GrowingRun {
    const configs::EsperConfig& config;
    Learner& learner;
    const GrowingImages& dataset;  ///< as they are at the present step
    records::RunFolder& folder;
    RunLength length;
    const Course& course;
    /// The run's learning rate at a step, for forks.
    std::function<double(std::int64_t step)> rate;
    Flops& flops;                                      ///< what measuring costs is added here
    std::shared_ptr<ports::KernelSupply> supply = {};  ///< null: seeds run as operators
    std::shared_ptr<graph::SeedKernels> kernels = {};  ///< the learner's book of them
    std::optional<SoftTargets> soft = {};              ///< of the run's batches, and so of a fork's

    Status event(const std::string& kind, Moment now, nlohmann::json detail) const;
    /// Of an example as they are now.
    Result<graph::Cost> cost(const graph::Program& program) const {
        return cost_on(program, dataset.info());
    }
};

/// Measures a host that is a Program: looks are taken on the probe part, candidates are measured
/// before they germinate, and forks are trained for the honest counterfactual. What the account
/// cannot pay for is refused, as an event `refused`.
class RunMeasurer final : public Measurer {
  public:
    RunMeasurer(GrowingRun& run, SeedPlaces& places);

    Result<HostCost> cost(const graph::Program& program) override;
    bool may_grow(Moment now) const override;
    std::int64_t total_steps(Moment now) const override;
    tamiyo::SlotSignals signals(std::uint32_t slot) const override { return health_.signals(slot); }
    Result<GateLooks> look(const tamiyo::LookRequest& request, Moment now) override;
    Status settle_statistics(Moment now) override;
    Status before_first_seed(Moment now) override;
    // measuring_account.cpp
    Status price_lives(tamiyo::ControllerView& view, Moment now) override;
    // run_readouts.cpp
    Status measure(const std::vector<tamiyo::Candidate*>& nominees, Moment now) override;
    Result<FirstReadout> first_readout(std::uint32_t slot, const blueprints::Blueprint& blueprint,
                                       Moment now) override;
    // run_forks.cpp
    Status keep_fork(std::uint32_t slot, Moment now) override;
    /// Forgets forks whose seed is no longer on trial.
    void drop_forks();
    /// Trains all forks on to `step`; call before what GrowingRun::rate says of earlier steps
    /// changes.
    Status bring_forks_to(std::int64_t step);
    std::vector<SavedFork> save_forks(Tensors& tensors) const;
    Status restore_forks(const std::vector<SavedFork>& saved, const Tensors& tensors);

    SlotHealth& health() { return health_; }
    const SlotHealth& health() const { return health_; }

  private:
    const graph::ProgramPtr& program() const { return places_.program(); }
    ExampleSource source(Moment now) const;
    std::int64_t probe_size() const { return static_cast<std::int64_t>(probe_order_.size()); }
    /// Examples of the first round of a look.
    std::int64_t first_round(std::int64_t smallest) const;
    std::int64_t whole_batches(std::int64_t examples) const;
    /// `kept`: of the account, for seeds' lives.
    Status refuse(const std::string& what, double cost, Moment now, nlohmann::json detail,
                  double kept = 0);
    Status settle_scale(const execution::SeedSlot& slot, const graph::ProgramPtr& blended,
                        double look, Moment now);
    Result<bool> walk(const std::vector<ProbeSide*>& sides, const tamiyo::GateSpec& spec,
                      Moment now);
    Result<double> price_of_fit(const std::string& anchor) const;
    /// Tells the account what is still to come of the run. Call before it is asked.
    Status expect(Moment now);
    struct LifePrice {
        double one = 0;        ///< of another seed
        double set_aside = 0;  ///< for those in flight
    };
    Result<LifePrice> price_of_life();
    Result<double> second_pass();
    Result<ReadoutFit> fit(std::uint32_t slot, const blueprints::Blueprint& blueprint, Moment now);
    Result<Learner*> fork_for(const tamiyo::LookRequest& request, Moment now, GateLooks& looks);
    Status bring_to(Fork& fork, std::int64_t step);
    /// The slot's seed, and those that cannot be noticed: what a fork goes without.
    std::vector<std::string> not_in_fork(std::uint32_t slot) const;

    GrowingRun& run_;
    SeedPlaces& places_;
    MeasuringAccount account_;
    std::vector<std::uint32_t> probe_order_;
    SlotHealth health_;
    std::map<std::uint32_t, Fork> forks_;                               ///< by slot
    std::map<std::pair<std::uint32_t, std::string>, ReadoutFit> fits_;  ///< of these nominees
    graph::ProgramPtr priced_;      ///< the Program whose second pass is known
    std::size_t priced_stage_ = 0;  ///< and at which size of the images
    double second_pass_ = 0;
};

}  // namespace esper::tolaria
