#include "esper/services/tolaria/grow/fork.h"

#include "esper/execution/kernels/kernel_error.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/learn/batches.h"

namespace esper::tolaria {

Status Fork::advance(std::int64_t step, Recipe recipe) {
    Batch batch;
    while (step_ < step) {
        const auto at = static_cast<std::uint64_t>(step_);
        recipe.plan.batch(at, batch.indices);
        const Dataset& data = recipe.dataset.at(step_);
        ESPER_CHECK_STATUS(fill_batch(data, Part::kTrain,
                                      Variation{recipe.config.run.seed, recipe.plan.epoch_of(at)},
                                      batch));
        if (recipe.soft) soften_batch(data.info(), *recipe.soft, recipe.config.run.seed, at, batch);
        const auto made = learner_->step(as_tensors(batch, data.info()),
                                         {step_, recipe.rate(step_), recipe.settings});
        if (!made && made.error().is(execution::KernelError::kNotFinite))
            return fail(TolariaError::kDiverged, "without the seed, at step " +
                                                     std::to_string(step_) + ": " +
                                                     made.error().message());
        if (!made) return fail(made.error());
        ++step_;
    }
    return {};
}

SavedFork Fork::save(std::uint32_t slot, Tensors& tensors) const {
    SavedFork saved;
    saved.slot = slot;
    saved.seed = seed_;
    saved.taken = taken_;
    saved.step = step_;
    saved.learner = learner_->save("fork." + seed_ + ".", tensors);
    return saved;
}

Result<Fork> Fork::restore(const SavedFork& saved, const Learner::Options& options,
                           const Tensors& tensors) {
    Fork fork(saved.seed, std::make_unique<Learner>(options), saved.step);
    fork.taken_ = saved.taken;
    ESPER_CHECK_STATUS(fork.learner_->restore(saved.learner, "fork." + saved.seed + ".", tensors));
    return fork;
}

}  // namespace esper::tolaria
