#include "esper/services/tolaria/grow/measurer.h"

#include "esper/program/edits/edits.h"

namespace esper::tolaria {

Result<graph::ProgramPtr> blended_for(const SeedPlaces& places,
                                      const tamiyo::LookRequest& request) {
    if (request.stage != tamiyo::GateStage::kBeforeGraft) return places.program();
    const auto& seed = places.slots()[request.slot].seed;
    ESPER_TRY(auto blended,
              graph::apply(*places.program(), graph::SetSeedMode{seed, graph::SeedMode::kBlended}));
    ESPER_CHECK_STATUS(places.store().add(*blended, "seed." + seed));
    return blended;
}

}  // namespace esper::tolaria
