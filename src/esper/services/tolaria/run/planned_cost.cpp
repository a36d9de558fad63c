#include "esper/services/tolaria/run/planned_cost.h"

#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

Result<Flops> planned_cost(const configs::EsperConfig& config, const Dataset& data,
                           const graph::ProgramPtr& host) {
    ESPER_TRY(const auto cost, graph::count_cost(*host));
    const auto length = run_length(config, data);
    Flops planned;
    planned.training = training_flops(cost, examples_a_step(config, data) * length.total_steps);
    planned.validation =
        forward_flops(cost, std::int64_t{data.size(Part::kValidation)} * config.run.epochs);
    planned.test = forward_flops(cost, data.size(Part::kTest));
    return planned;
}

}  // namespace esper::tolaria
