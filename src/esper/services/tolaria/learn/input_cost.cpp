#include "esper/services/tolaria/learn/input_cost.h"

#include <algorithm>

#include "esper/program/input_size.h"

namespace esper::tolaria {

namespace {

// Texts and rows have the size that their network is made for.
bool is_for(const graph::Program& program, const DatasetInfo& info) {
    if (info.input_shape.size() != 3 || program.inputs().empty()) return true;
    const auto& shape = program.inputs().front().type.shape;
    return shape.size() != 4 ||
           std::equal(shape.begin() + 1, shape.end(), info.input_shape.begin());
}

}  // namespace

Result<graph::ProgramPtr> program_on(const graph::ProgramPtr& program, const DatasetInfo& info) {
    if (is_for(*program, info)) return program;
    return graph::with_input_size(*program, info.input_shape);
}

Result<graph::Cost> cost_on(const graph::Program& program, const DatasetInfo& info) {
    if (is_for(program, info)) return graph::count_cost(program);
    ESPER_TRY(const auto sized, graph::with_input_size(program, info.input_shape));
    return graph::count_cost(*sized);
}

}  // namespace esper::tolaria
