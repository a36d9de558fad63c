#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/batch_plan.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/optimizer.h"

namespace esper::tolaria {

/// The host as it would be had a seed never been blended in: everything of it from before the
/// graft, trained on from there on the very batches that the run saw, in the same order, with the
/// same augmentation and schedule (growth.md, "The gate"). Trained only as far as it is asked to,
/// with recorded Programs of its own.
class Fork {
  public:
    /// Everything that makes two trainings equal.
    struct Recipe {
        const configs::EsperConfig& config;
        const Dataset& dataset;
        BatchPlan plan;
        std::function<double(std::int64_t step)> rate;
        std::function<BlockSettings(const std::string& block, std::int64_t age)> settings;
    };

    /// Copies tensors and optimizer state of the blocks that `program`, the network without the
    /// seed, has.
    Fork(graph::ProgramPtr program, const graph::TensorStore& store, const Optimizer& optimizer,
         std::int64_t step, const configs::EsperConfig& config, graph::Precision precision);

    /// Trains on until `step`. Returns the steps made. Errors: those of engine and data,
    /// kDiverged.
    Result<std::int64_t> advance(std::int64_t step, Recipe recipe);

    const graph::ProgramPtr& program() const { return program_; }
    graph::TensorStore& store() { return store_; }
    Engine& engine() { return engine_; }
    std::int64_t step() const { return step_; }

    /// Puts the tensors into `tensors` under names that begin with `prefix`; returns the rest.
    nlohmann::json save(const std::string& prefix,
                        std::map<std::string, at::Tensor>& tensors) const;
    /// Errors: kBadCheckpoint, those of reading a Program.
    static Result<Fork> restore(const nlohmann::json& state, const std::string& prefix,
                                const std::map<std::string, at::Tensor>& tensors,
                                const graph::ProgramPtr& host,
                                const graph::TensorStore::Options& options,
                                const configs::EsperConfig& config, graph::Precision precision);

  private:
    Fork(graph::ProgramPtr program, graph::TensorStore store, std::int64_t step,
         const configs::EsperConfig& config, graph::Precision precision);

    graph::ProgramPtr program_;
    graph::TensorStore store_;
    Engine engine_;
    Optimizer optimizer_;
    std::int64_t step_ = 0;
};

}  // namespace esper::tolaria
