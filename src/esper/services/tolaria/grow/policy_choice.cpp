#include "esper/services/tolaria/grow/policy_choice.h"

#include "esper/program/edits/blocks.h"

namespace esper::tolaria {

Result<configs::Policy> choose_policy(const configs::EsperConfig& config,
                                      const graph::ProgramPtr& host) {
    if (config.controller.policy != configs::Policy::kAuto) return config.controller.policy;
    if (config.run.budget.empty() || !config.growth.enabled) return configs::Policy::kHeuristic;
    ESPER_TRY(const auto blocks, graph::find_blocks(*host));
    return blocks.empty() ? configs::Policy::kHeuristic : configs::Policy::kClock;
}

}  // namespace esper::tolaria
