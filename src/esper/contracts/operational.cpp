#include "esper/contracts/operational.h"

#include <fmt/format.h>

#include <algorithm>

namespace esper::contracts {

HealthVerdict HealthSignal::verdict() const {
    if (health_score >= 0.8) return HealthVerdict::kHealthy;
    if (health_score >= 0.6) return HealthVerdict::kWarning;
    return HealthVerdict::kCritical;
}

std::string HealthSignal::inconsistency() const {
    if (active_seeds <= total_seeds) return {};
    return fmt::format("active_seeds {} exceeds total_seeds {}", active_seeds, total_seeds);
}

HealthVerdict SystemStatePacket::system_health() const {
    const double worst = std::max(system_load, memory_usage);
    if (worst > 0.9) return HealthVerdict::kCritical;
    if (worst > 0.7) return HealthVerdict::kWarning;
    return HealthVerdict::kHealthy;
}

std::string SystemStatePacket::inconsistency() const {
    if (active_seeds > total_seeds) {
        return fmt::format("active_seeds {} exceeds total_seeds {}", active_seeds, total_seeds);
    }
    if (seeds.size() > total_seeds) {
        return fmt::format("{} entries in seeds, but total_seeds says {}", seeds.size(),
                           total_seeds);
    }
    return {};
}

Priority AdaptationDecision::priority() const {
    const double mean = (confidence + urgency) / 2;
    if (mean >= 0.8) return Priority::kHigh;
    if (mean >= 0.5) return Priority::kMedium;
    return Priority::kLow;
}

}  // namespace esper::contracts
