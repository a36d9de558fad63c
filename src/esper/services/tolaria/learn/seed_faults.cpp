#include "esper/services/tolaria/learn/seed_faults.h"

#include <limits>

#include "esper/base/fault_points.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"

namespace esper::tolaria {

namespace {

void fill_with_nan(const at::Tensor& tensor) {
    tensor.fill_(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

Status pass_seed_faults(const graph::Program& program, graph::TensorStore& store) {
    static FaultPoint throws{"seed.throw"};
    static FaultPoint spoils{"seed.nan_output"};
    const bool thrown = throws.fires();
    const bool spoilt = spoils.fires();
    if (!thrown && !spoilt) return {};
    const auto seeds = graph::seeds_in(program);
    if (seeds.empty()) return {};
    const auto& seed = seeds.back().seed;
    if (spoilt)
        if (auto block = store.find_block(graph::seed_scope(seed))) fill_with_nan(block->flat);
    if (thrown)
        return fail(graph::GraphError::kExecution,
                    graph::seed_scope(seed) + ": fault point 'seed.throw' fired as armed");
    return {};
}

void spoil_gradients(const graph::Program& program, graph::TensorStore& store) {
    static FaultPoint fault{"seed.nan_gradient"};
    if (!fault.fires()) return;
    const auto seeds = graph::seeds_in(program);
    if (seeds.empty()) return;
    const bool isolated = seeds.back().mode == graph::SeedMode::kIsolated;
    for (const auto& block : store.blocks())
        if (block->name == graph::seed_scope(seeds.back().seed) ||
            (!isolated && block->name == "host"))
            fill_with_nan(block->grad);
}

}  // namespace esper::tolaria
