#include "esper/services/tolaria/grow/fork.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/program/text/text_format.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

bool has_parameter_of(const graph::Program& program, const graph::TensorBlock& block) {
    return std::any_of(
        program.parameters().begin(), program.parameters().end(),
        [&](const auto& p) { return !block.entries.empty() && p.name == block.entries[0].name; });
}

Result<at::Tensor> tensor_of(const std::map<std::string, at::Tensor>& tensors,
                             const std::string& name, const at::Tensor& like) {
    const auto it = tensors.find(name);
    if (it == tensors.end() || it->second.sizes() != like.sizes())
        return fail(TolariaError::kBadCheckpoint, "the checkpoint lacks tensor '" + name + "'");
    return it->second;
}

}  // namespace

Fork::Fork(graph::ProgramPtr program, graph::TensorStore store, std::int64_t step,
           const configs::EsperConfig& config, graph::Precision precision)
    : program_(std::move(program)),
      store_(std::move(store)),
      engine_(precision, config.optimization.label_smoothing),
      optimizer_(config.optimization),
      step_(step) {}

Fork::Fork(graph::ProgramPtr program, const graph::TensorStore& store, const Optimizer& optimizer,
           std::int64_t step, const configs::EsperConfig& config, graph::Precision precision)
    : Fork(std::move(program), store.clone(), step, config, precision) {
    auto state = optimizer.clone_state();
    for (const auto& block : store.blocks()) {
        if (has_parameter_of(*program_, *block)) continue;
        store_.remove(block->name, block->name + ".");
        state.erase(block->name);
    }
    optimizer_.set_state(std::move(state));
}

Result<std::int64_t> Fork::advance(std::int64_t step, Recipe recipe) {
    const auto from = step_;
    Batch batch;
    while (step_ < step) {
        const auto at = static_cast<std::uint64_t>(step_);
        recipe.plan.batch(at, batch.indices);
        ESPER_CHECK_STATUS(fill_batch(recipe.dataset, Part::kTrain,
                                      Variation{recipe.config.run.seed, recipe.plan.epoch_of(at)},
                                      batch));
        if (store_.controls().contains("dropout.step"))
            ESPER_CHECK_STATUS(store_.set_control("dropout.step", static_cast<double>(step_)));
        ESPER_TRY(auto pass,
                  engine_.train(program_, store_, as_tensors(batch, recipe.dataset.info())));
        if (!std::isfinite(pass.loss))
            return fail(TolariaError::kDiverged, "without the seed the loss became " +
                                                     std::to_string(pass.loss) + " at step " +
                                                     std::to_string(step_));
        optimizer_.step(store_, recipe.rate(step_), [&](const std::string& block) {
            const auto state = optimizer_.state().find(block);
            const auto age = state == optimizer_.state().end() ? 0 : state->second.steps;
            return recipe.settings(block, age);
        });
        ++step_;
    }
    return step_ - from;
}

nlohmann::json Fork::save(const std::string& prefix,
                          std::map<std::string, at::Tensor>& tensors) const {
    nlohmann::json blocks = nlohmann::json::array();
    nlohmann::json steps = nlohmann::json::object();
    for (const auto& block : store_.blocks()) {
        blocks.push_back(block->name);
        tensors[fmt::format("{}block.{}", prefix, block->name)] = block->flat;
    }
    for (const auto& [name, t] : store_.buffers())
        tensors[fmt::format("{}buffer.{}", prefix, name)] = t;
    for (const auto& c : program_->controls())
        if (const auto it = store_.controls().find(c.name); it != store_.controls().end())
            tensors[fmt::format("{}control.{}", prefix, c.name)] = it->second;
    for (const auto& [block, s] : optimizer_.state()) {
        steps[block] = s.steps;
        if (s.first.defined()) tensors[fmt::format("{}first.{}", prefix, block)] = s.first;
        if (s.second.defined()) tensors[fmt::format("{}second.{}", prefix, block)] = s.second;
    }
    return {{"program", graph::to_text(*program_)},
            {"step", step_},
            {"blocks", std::move(blocks)},
            {"optimizer_steps", std::move(steps)}};
}

Result<Fork> Fork::restore(const nlohmann::json& state, const std::string& prefix,
                           const std::map<std::string, at::Tensor>& tensors,
                           const graph::ProgramPtr& host,
                           const graph::TensorStore::Options& options,
                           const configs::EsperConfig& config, graph::Precision precision) {
    ESPER_TRY(auto program, graph::from_text(state.at("program").get<std::string>()));
    graph::TensorStore store(options);
    ESPER_CHECK_STATUS(store.add(*host, "host"));
    for (const auto& name : state.at("blocks")) {
        const auto block = name.get<std::string>();
        if (block != "host") ESPER_CHECK_STATUS(store.add(*program, block, block + "."));
    }
    ESPER_CHECK_STATUS(store.add(*program, "rest"));
    for (const auto& block : store.blocks()) {
        ESPER_TRY(auto from,
                  tensor_of(tensors, fmt::format("{}block.{}", prefix, block->name), block->flat));
        block->flat.copy_(from);
    }
    for (const auto& [name, t] : store.buffers()) {
        ESPER_TRY(auto from, tensor_of(tensors, fmt::format("{}buffer.{}", prefix, name), t));
        t.copy_(from);
    }
    for (const auto& [name, t] : store.controls()) {
        ESPER_TRY(auto from, tensor_of(tensors, fmt::format("{}control.{}", prefix, name), t));
        t.copy_(from);
    }
    Fork fork(program, std::move(store), state.at("step").get<std::int64_t>(), config, precision);
    std::map<std::string, Optimizer::BlockState> optimizer;
    for (const auto& [block, steps] : state.at("optimizer_steps").items()) {
        auto& s = optimizer[block];
        s.steps = steps.get<std::int64_t>();
        const auto first = tensors.find(fmt::format("{}first.{}", prefix, block));
        if (first != tensors.end()) s.first = first->second;
        const auto second = tensors.find(fmt::format("{}second.{}", prefix, block));
        if (second != tensors.end()) s.second = second->second;
    }
    fork.optimizer_.set_state(std::move(optimizer));
    return fork;
}

}  // namespace esper::tolaria
