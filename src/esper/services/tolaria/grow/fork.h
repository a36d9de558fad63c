#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/batch_plan.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/soft_targets.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::tolaria {

/// What is saved of a fork beside its tensors, which are named `fork.<seed>.…`.
struct SavedFork {
    std::uint32_t slot = 0;
    std::string seed;
    std::int64_t taken = 0, step = 0;
    SavedLearner learner;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("slot", self.slot);
        visit("seed", self.seed);
        visit("taken", self.taken);
        visit("step", self.step);
        SavedLearner::fields(self.learner, visit);
    }
};

/// The host without a seed's influence: a copy of the run's learner from before the graft, trained
/// on the same batches as the run, in the same order, with the same augmentation and schedule
/// (docs/growth.md, "The gate"). It is trained only when advance() is called.
class Fork {
  public:
    /// Everything that two equal trainings must share.
    struct Recipe {
        const configs::EsperConfig& config;
        const GrowingImages& dataset;
        BatchPlan plan;
        std::function<double(std::int64_t step)> rate;
        std::function<BlockSettings(const std::string& block, std::int64_t age)> settings;
        std::optional<SoftTargets> soft = {};
    };

    /// `learner` is the network without the seed, as it is after `step` steps.
    Fork(std::string seed, std::unique_ptr<Learner> learner, std::int64_t step)
        : seed_(std::move(seed)), learner_(std::move(learner)), taken_(step), step_(step) {}

    /// Trains on until `step`. Errors: those of engine and data, kDiverged.
    Status advance(std::int64_t step, Recipe recipe);

    const std::string& seed() const { return seed_; }
    Learner& learner() { return *learner_; }
    std::int64_t taken() const { return taken_; }  ///< step of the graft
    std::int64_t step() const { return step_; }

    SavedFork save(std::uint32_t slot, Tensors& tensors) const;
    /// Errors: those of Learner::restore.
    static Result<Fork> restore(const SavedFork& saved, const Learner::Options& options,
                                const Tensors& tensors);

  private:
    std::string seed_;
    std::unique_ptr<Learner> learner_;
    std::int64_t taken_ = 0;
    std::int64_t step_ = 0;
};

}  // namespace esper::tolaria
