#include "esper/services/tolaria/host_runner.h"

#include "esper/graph/cost.h"
#include "esper/services/tolaria/evaluation.h"

namespace esper::tolaria {

Result<HostCost> EngineRunner::cost(const graph::Program& program) {
    ESPER_TRY(auto cost, graph::count_cost(program));
    return HostCost{static_cast<double>(cost.forward_flops),
                    static_cast<double>(cost.training_flops),
                    static_cast<double>(program.parameter_count())};
}

Result<std::vector<float>> EngineRunner::probe_losses(const graph::ProgramPtr& program) {
    ESPER_TRY(auto seen,
              evaluate_part(*engine_, program, *store_, *dataset_, Part::kProbe, batch_size_));
    return std::move(seen.losses);
}

Result<std::optional<ReadoutFit>> EngineRunner::fit(const ReadoutRequest& request) {
    if (request.blueprint.readout_weight.empty()) return std::nullopt;
    ESPER_TRY(auto fit, fit_readout(request, *engine_, *store_, *dataset_));
    return std::optional(std::move(fit));
}

Result<std::optional<SeedScale>> EngineRunner::fit_scale(const ScaleRequest& request) {
    auto mine = request;
    mine.train_examples = train_examples_;
    ESPER_TRY(auto scale, tolaria::fit_scale(mine, *engine_, *store_, *dataset_));
    return std::optional(scale);
}

}  // namespace esper::tolaria
