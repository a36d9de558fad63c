#include "esper/services/tolaria/learn/block_settings.h"

#include "esper/services/tolaria/learn/schedule.h"

namespace esper::tolaria {

BlockSettings block_settings(const configs::EsperConfig& config,
                             const std::optional<execution::SeedTreatment>& treatment,
                             std::int64_t age) {
    BlockSettings settings;
    if (!treatment) return settings;
    const auto& o = config.optimization;
    settings.frozen =
        treatment->frozen || (treatment->fossilized && config.growth.freeze_fossilized);
    settings.weight_decay = !treatment->ramping;
    settings.rate = newborn_factor(o.newborn_rate, static_cast<std::uint64_t>(o.newborn_steps),
                                   static_cast<std::uint64_t>(age));
    if (treatment->isolated) settings.clip_group = 1;
    return settings;
}

}  // namespace esper::tolaria
