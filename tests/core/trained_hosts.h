#pragma once
// Small hosts of every kind, and one step of training as a joint Program, for tests.

#include <map>
#include <string>
#include <vector>

#include "esper/core/hosts/host.h"
#include "esper/engine/joint/joint_program.h"
#include "program/run_program.h"

namespace esper::core::testing {

using graph::ProgramPtr;
using graph::TensorStore;

inline std::vector<HostSpec> small_hosts() {
    return {
        {.kind = "mlp", .depth = 2, .width = 16, .features = 8},
        {.kind = "resnet", .depth = 8, .width = 8, .image_size = 8},
        {.kind = "vgg", .depth = 8, .width = 4},
        {.kind = "vgg", .depth = 8, .width = 4, .batch_norm = false},
        {.kind = "gpt", .depth = 2, .width = 32, .heads = 2, .context = 8},
        {.kind = "gpt", .depth = 1, .width = 32, .context = 8, .tied_head = true, .dropout = 0.2},
    };
}

inline std::vector<at::Tensor> batch_for(const ProgramPtr& with_loss) {
    std::vector<at::Tensor> batch;
    for (const auto& input : with_loss->inputs())
        batch.push_back(graph::testing::input_for(input, 4));
    return batch;
}

/// Loss and gradients by name; undefined for parameters that are not trainable or not reached.
struct Step {
    at::Tensor loss;
    std::map<std::string, at::Tensor> gradients;
};

inline Step joint(const ProgramPtr& program, TensorStore& store,
                  const std::vector<at::Tensor>& batch,
                  graph::Rewrites rewrites = graph::Rewrites::kExact,
                  graph::Precision precision = graph::Precision::kFloat32) {
    auto recorded = value_or_throw(graph::JointProgram::record(
        {program, true, precision, {"loss"}, {}, {}, rewrites}, store, batch));
    Step step{value_or_throw(recorded.run(batch)).outputs.front().clone(), {}};
    for (const auto& p : program->parameters())
        if (p.trainable) step.gradients[p.name] = store.find_parameter(p.name)->gradient.clone();
    return step;
}

}  // namespace esper::core::testing
