#pragma once
// Runs a Program with new parameters, forward and backward, for tests.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <map>

#include "esper/engine/interpreter.h"
#include "esper/engine/tensor_store.h"

namespace esper::graph::testing {

/// A tensor for an input: normal floats, integers below `high`; free sizes become `free_size`.
inline at::Tensor input_for(const Input& input, std::int64_t free_size, std::int64_t high = 10) {
    auto shape = input.type.shape;
    for (auto& size : shape)
        if (size < 0) size = free_size;
    if (input.type.dtype == DType::kInt64) return at::randint(high, shape, at::kLong);
    return at::randn(shape);
}

/// One Program with its own parameters.
struct Bench {
    ProgramPtr program;
    TensorStore store;

    explicit Bench(ProgramPtr p, std::uint64_t seed = 1)
        : program(std::move(p)), store(TensorStore::Options{seed, false}) {
        at::set_num_threads(1);  // small tensors: threads would only wait for each other
        auto added = store.add(*program, "test");
        EXPECT_TRUE(added) << added.error().to_string();
    }

    /// Output 0, then `taps`.
    std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs, bool training = false,
                                const std::vector<ValueId>& taps = {}) {
        auto interpreter = Interpreter::make(program, training);
        EXPECT_TRUE(interpreter) << interpreter.error().to_string();
        auto outputs = interpreter->run(store, inputs, taps);
        EXPECT_TRUE(outputs) << outputs.error().to_string();
        return outputs ? *outputs : std::vector<at::Tensor>{};
    }

    /// Gradients by parameter name of Σ(output 0 · fixed random numbers); undefined for a parameter
    /// without a gradient.
    std::map<std::string, at::Tensor> gradients(const std::vector<at::Tensor>& inputs) {
        auto interpreter = Interpreter::make(program, true);
        auto bindings = Interpreter::bind(*program, store, inputs);
        EXPECT_TRUE(interpreter && bindings);
        for (std::size_t i = 0; i < bindings->parameters.size(); ++i)
            bindings->parameters[i] =
                bindings->parameters[i].detach().requires_grad_(program->parameters()[i].trainable);
        auto outputs = interpreter->run(*bindings);
        EXPECT_TRUE(outputs) << outputs.error().to_string();
        std::map<std::string, at::Tensor> result;
        auto& y = outputs->front();
        if (y.requires_grad()) y.mul(at::randn(y.sizes())).sum().backward();
        for (std::size_t i = 0; i < bindings->parameters.size(); ++i)
            result[program->parameters()[i].name] = bindings->parameters[i].grad();
        return result;
    }
};

}  // namespace esper::graph::testing
