// The honest counterfactual: hosts that never had a seed blended in, trained beside the run.

#include <nlohmann/json.hpp>

#include "esper/services/tolaria/grow/run_measurer.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/kept_buffers.h"

namespace esper::tolaria {

std::vector<std::string> RunMeasurer::not_in_fork(std::uint32_t slot) const {
    std::vector<std::string> gone;
    for (const auto& seed : graph::seeds_in(*program()))
        if (seed.seed == places_.slots()[slot].seed || seed.mode == graph::SeedMode::kIsolated)
            gone.push_back(seed.seed);
    return gone;
}

Status RunMeasurer::keep_fork(std::uint32_t slot, Moment now) {
    for (const auto& other : places_.slots()) {
        const auto state = places_.state(other.index);
        // Its ramp and what it learns are no part of the fork, which would then lag behind.
        if (other.index != slot && contracts::is_blended(state) &&
            state != execution::SeedState::kFossilized)
            return {};
    }
    ESPER_TRY(auto host, run_.learner.clone_without(not_in_fork(slot)));
    forks_.insert_or_assign(slot, Fork(places_.slots()[slot].seed, std::move(host), now.step));
    return {};
}

void RunMeasurer::drop_forks() {
    std::erase_if(forks_, [this](const auto& item) {
        return places_.slots()[item.first].seed != item.second.seed() ||
               !contracts::is_in_flight(places_.state(item.first));
    });
}

Status RunMeasurer::bring_to(Fork& fork, std::int64_t step) {
    const auto& kasmina = places_.kasmina();
    const auto before = fork.step();
    const auto trained = fork.advance(
        step, {run_.config, run_.dataset,
               BatchPlan::shuffled(train_examples(run_.config, run_.dataset),
                                   static_cast<std::uint32_t>(run_.config.data.batch_size),
                                   run_.config.run.seed),
               run_.rate,
               [&](const std::string& block, std::int64_t age) {
                   return block_settings(run_.config, kasmina.treatment(block), age);
               },
               run_.soft});
    run_.flops.recording += fork.learner().engine().take_recording_flops();
    ESPER_TRY(const auto spent,
              run_.dataset.training_flops(*fork.learner().program(), before, fork.step(),
                                          examples_a_step(run_.config, run_.dataset)));
    run_.flops.forks += spent;
    return trained;
}

Status RunMeasurer::bring_forks_to(std::int64_t step) {
    for (auto it = forks_.begin(); it != forks_.end();) {
        auto trained = bring_to(it->second, step);
        if (!trained && !trained.error().is(TolariaError::kDiverged)) return fail(trained.error());
        it = trained ? std::next(it) : forks_.erase(it);
    }
    return {};
}

// The slot's fork, trained on to the present step; null where there is nothing to compare with.
Result<Learner*> RunMeasurer::fork_for(const tamiyo::LookRequest& request, Moment now,
                                       GateLooks& looks) {
    const auto unmeasured = [&](std::string why) {
        looks.fork_detail = {{"measured", false}, {"why", std::move(why)}};
        return static_cast<Learner*>(nullptr);
    };
    const auto found = forks_.find(request.slot);
    if (found == forks_.end())
        return unmeasured(
            "there is no fork: another seed was being blended in at the graft, or the run without "
            "this one did not stay finite");
    auto& fork = found->second;
    auto& learner = fork.learner();
    ESPER_TRY(auto host, without_seeds(program(), not_in_fork(request.slot)));
    if (host->hash() != learner.program()->hash())
        return unmeasured("the host was changed by another seed since the graft");

    const auto before = fork.step();
    ESPER_TRY(const auto price,
              run_.dataset.training_flops(*learner.program(), before, now.step,
                                          examples_a_step(run_.config, run_.dataset)));
    if (!account_.can_pay(price)) {
        ESPER_CHECK_STATUS(refuse("fork", price, now, {{"seed", fork.seed()}}));
        return unmeasured("what measuring may cost (growth.measure_share) does not pay for it");
    }
    const double flops_before = run_.flops.forks;
    auto trained = bring_to(fork, now.step);
    if (!trained) {
        if (!trained.error().is(TolariaError::kDiverged)) return fail(trained.error());
        const auto why = trained.error().message();
        forks_.erase(found);
        return unmeasured(why);
    }
    looks.fork_detail = {{"from_step", fork.taken()},
                         {"steps", fork.step() - before},
                         {"flops", run_.flops.forks - flops_before}};
    return &learner;
}

std::vector<SavedFork> RunMeasurer::save_forks(Tensors& tensors) const {
    std::vector<SavedFork> saved;
    for (const auto& [slot, fork] : forks_) saved.push_back(fork.save(slot, tensors));
    return saved;
}

Status RunMeasurer::restore_forks(const std::vector<SavedFork>& saved, const Tensors& tensors) {
    forks_.clear();
    for (const auto& s : saved) {
        ESPER_TRY(auto fork, Fork::restore(s, run_.learner.options_for_clone(), tensors));
        forks_.insert_or_assign(s.slot, std::move(fork));
    }
    return {};
}

}  // namespace esper::tolaria
