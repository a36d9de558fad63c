#include "esper/services/tolaria/learn/muon.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace esper::tolaria {

namespace {

constexpr int kIterations = 5;
constexpr double kA = 3.4445;
constexpr double kB = -4.7750;
constexpr double kC = 2.0315;
constexpr double kLeastNorm = 1e-7;

void leave_out(const graph::Program& program, graph::ValueId id,
               std::set<std::string, std::less<>>& names) {
    if (program.value(id).kind == graph::Value::Kind::kParameter)
        names.erase(std::string(program.value_name(id)));
}

}  // namespace

at::Tensor orthogonal(const at::Tensor& matrix) {
    const bool is_tall = matrix.size(0) > matrix.size(1);
    auto x = is_tall ? matrix.t() : matrix;
    x = x.div(std::max(x.norm().item<double>(), kLeastNorm));
    for (int i = 0; i < kIterations; ++i) {
        const auto gram = at::matmul(x, x.t());
        const auto update = at::addmm(gram, gram, gram, kB, kC);
        x = at::addmm(x, update, x, kA, 1);
    }
    return is_tall ? x.t() : x;
}

void muon_step(const MuonStep& step, const at::Tensor& value, const at::Tensor& gradient,
               const at::Tensor& momentum) {
    const auto g = gradient.mul(step.gradient_scale);
    momentum.lerp_(g, 1 - step.momentum);
    const auto direction = step.nesterov ? g.lerp(momentum, step.momentum) : momentum;
    const auto matrix = direction.reshape({direction.size(0), -1});
    const auto longer = static_cast<double>(std::max(matrix.size(0), matrix.size(1)));
    const auto update = orthogonal(matrix).reshape(value.sizes());
    value.mul_(1 - step.learning_rate * step.weight_decay);
    value.add_(update, -step.learning_rate * 0.2 * std::sqrt(longer));
}

at::Tensor like_entry(const at::Tensor& flat, const graph::TensorBlock::Entry& entry) {
    return flat.as_strided(entry.value.sizes(), entry.value.strides(),
                           flat.storage_offset() + entry.offset);
}

std::set<std::string, std::less<>> inner_matrices(const graph::Program& program) {
    std::set<std::string, std::less<>> names;
    for (const auto& parameter : program.parameters())
        if (parameter.type.shape.size() >= 2) names.insert(parameter.name);
    for (const auto& instruction : program.instructions())
        if (instruction.op == "aten::embedding")
            graph::for_each_value(instruction.args.front(),
                                  [&](graph::ValueId id) { leave_out(program, id, names); });
    for (const auto& output : program.outputs()) {
        const auto& value = program.value(output.value);
        if (value.kind != graph::Value::Kind::kResult) continue;
        for (const auto& argument : program.instructions()[value.index].args)
            graph::for_each_value(argument,
                                  [&](graph::ValueId id) { leave_out(program, id, names); });
    }
    return names;
}

}  // namespace esper::tolaria
