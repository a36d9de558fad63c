#pragma once

#include "esper/contracts/codec.h"

namespace esper::contracts {

/// Two records for tests of the codecs: with and without required fields.
struct AllocationCommand {
    ESPER_CONTRACT(AllocationCommand, 51, "A sample")
    ESPER_REQUIRED(1, std::string, target_domain_id, id(), "")
    ESPER_REQUIRED(2, double, atp_budget_allocation, at_least(0), "")
    ESPER_FIELD(3, bool, is_priority_agent, false, any(), "")
};

struct AdaptationSignal {
    ESPER_CONTRACT(AdaptationSignal, 24, "A sample")
    ESPER_FIELD(1, bool, optimizer_rebuild_required, false, any(), "")
    ESPER_FIELD(2, bool, emergency_rollback_required, false, any(), "")
    ESPER_FIELD(3, std::string, reason, "", length(0, 1000), "")
};

}  // namespace esper::contracts
