// What the controller decided, carried out.

#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tolaria/grow/first_readout.h"
#include "esper/services/tolaria/grow/seed_lives.h"

namespace esper::tolaria {

using contracts::AdaptationCommand;
using execution::SeedState;

Status SeedLives::set_readout(const std::string& seed, const blueprints::Blueprint& blueprint,
                              const FirstReadout& readout) {
    write_first_readout(context_.places.store(), seed, blueprint, readout);
    return {};
}

Status SeedLives::germinate(const tamiyo::Decision& d, Moment now) {
    ESPER_TRY(const auto blueprint, context_.places.blueprint_for(d.slot, d.blueprint));
    const auto seed = kasmina().next_seed();
    ESPER_TRY(const auto readout, context_.measurer.first_readout(d.slot, blueprint, now));
    if (readout.rejected)
        return context_.event(
            "rejected", now,
            {{"anchor", d.anchor},
             {"blueprint", d.blueprint},
             {"reason", "no scale of its fitted last layer lowers the loss on held-out batches"}});
    ESPER_TRY(const auto before, context_.measurer.cost(*program()));
    ESPER_CHECK_STATUS(kasmina().germinate(d.slot, d.blueprint, blueprint.program,
                                           blueprint.has_parameters, now, d.reason));
    if (context_.germinated) ESPER_CHECK_STATUS(context_.germinated(d.slot, blueprint, now));
    ESPER_TRY(const auto after, context_.measurer.cost(*program()));
    in_slot_[d.slot] = {(after.forward_flops - before.forward_flops) / before.forward_flops,
                        (after.parameters - before.parameters) / before.parameters, blueprint.sham};
    if (!blueprint.has_parameters) ESPER_CHECK_STATUS(graft(d, now));
    return set_readout(seed, blueprint, readout);
}

Status SeedLives::graft(const tamiyo::Decision& d, Moment now) {
    const auto known = in_slot_.find(d.slot);
    const bool sham = known != in_slot_.end() && known->second.sham;
    if (controller_->lifecycle().draws_fork(d.slot, sham))
        ESPER_CHECK_STATUS(context_.measurer.keep_fork(d.slot, now));
    const auto& growth = context_.config.growth;
    return kasmina().graft(d.slot, growth.strategy,
                           tamiyo::graft_steps(growth, context_.length.total_steps), now, d.reason);
}

Status SeedLives::carry_out(const tamiyo::Decision& d, Moment now) {
    switch (d.command) {
        case AdaptationCommand::kGerminate:
            return germinate(d, now);
        case AdaptationCommand::kPromote:
            return {};  // loading is part of germinating here
        case AdaptationCommand::kGraft:
            return graft(d, now);
        case AdaptationCommand::kStabilize:
            ESPER_CHECK_STATUS(kasmina().advance(d.slot, SeedState::kStabilization, now));
            return context_.measurer.settle_statistics(now);
        case AdaptationCommand::kEvaluate:
            return kasmina().advance(d.slot, SeedState::kEvaluating, now);
        case AdaptationCommand::kFineTune:
            return kasmina().advance(d.slot, SeedState::kFineTuning, now);
        case AdaptationCommand::kFossilize:
            ++ends_.fossilized;
            return kasmina().fossilize(d.slot, now, d.reason);
        case AdaptationCommand::kCull: {
            ++ends_.culled;
            const bool was_blended = contracts::is_blended(kasmina().state(d.slot));
            ESPER_CHECK_STATUS(kasmina().cull(
                d.slot, static_cast<std::uint32_t>(context_.config.growth.embargo.value), now,
                d.reason));
            return was_blended ? context_.measurer.settle_statistics(now) : Status{};
        }
        case AdaptationCommand::kCancel:
            ++ends_.cancelled;
            return kasmina().cancel(d.slot, now, d.reason);
        case AdaptationCommand::kReset:
            return kasmina().wake(d.slot, now);
        default:
            return fail(TolariaError::kUnsupported, "the command '" +
                                                        std::string(contracts::to_text(d.command)) +
                                                        "' is not one that growth can carry out");
    }
}

}  // namespace esper::tolaria
