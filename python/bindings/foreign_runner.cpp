#include "foreign_runner.h"

#include "esper/program/cost/cost.h"

namespace esper::python {

Result<tolaria::HostCost> ForeignRunner::cost(const graph::Program& program) {
    ESPER_TRY(auto seeds, graph::count_cost(program));
    auto all = host_;
    all.forward_flops += static_cast<double>(seeds.forward_flops);
    all.parameters += static_cast<double>(program.parameter_count());
    return all;
}

// An exception in the caller's probe passes through to the caller.
Result<std::vector<float>> ForeignRunner::probe_losses(const graph::ProgramPtr& program) {
    return measure_.attr("probe_losses")(ProgramHandle{program}).cast<std::vector<float>>();
}

Status ForeignRunner::settle(const graph::ProgramPtr& program) {
    measure_.attr("settle")(ProgramHandle{program});
    return {};
}

}  // namespace esper::python
