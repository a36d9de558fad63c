#include "esper/services/tolaria/run/planned_cost.h"

#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

Result<Flops> planned_cost(const configs::EsperConfig& config, const Dataset& data,
                           const graph::ProgramPtr& host) {
    ESPER_TRY(const auto cost, graph::count_cost(*host));
    ESPER_TRY(const auto length, planned_length(config, data, host));
    Flops planned;
    planned.training = training_flops(cost, examples_a_step(config, data) * length.total_steps);
    planned.validation = forward_flops(
        cost, std::int64_t{data.size(Part::kValidation)} *
                  ((length.total_steps + length.steps_per_epoch - 1) / length.steps_per_epoch));
    planned.test = forward_flops(cost, data.size(Part::kTest));
    return planned;
}

}  // namespace esper::tolaria
