#include "esper/services/tolaria/grow/measurer.h"

#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"

namespace esper::tolaria {

Result<graph::ProgramPtr> blended_for(const SeedPlaces& places,
                                      const tamiyo::LookRequest& request) {
    if (request.stage != tamiyo::GateStage::kBeforeGraft) return places.program();
    const auto& seed = places.slots()[request.slot].seed;
    ESPER_TRY(auto blended,
              graph::apply(*places.program(), graph::SetSeedMode{seed, graph::SeedMode::kBlended}));
    ESPER_CHECK_STATUS(places.store().add(*blended, graph::seed_scope(seed)));
    return blended;
}

}  // namespace esper::tolaria
