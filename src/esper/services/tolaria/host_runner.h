#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "esper/services/tolaria/readout.h"
#include "esper/services/tolaria/seed_scale.h"

namespace esper::tolaria {

/// Price of one example through the host with the seeds of a Program, and the size of both.
struct HostCost {
    double forward_flops = 0;
    double training_flops = 0;
    double parameters = 0;
};

/// Whoever runs the host network, as growth needs it: Esper's engine where the host is a Program
/// (EngineRunner), PyTorch where the host is a Python module and the Program holds its anchors and
/// seeds alone. Measures; never changes host or seeds.
class HostRunner {
  public:
    HostRunner() = default;
    virtual ~HostRunner() = default;
    HostRunner(const HostRunner&) = delete;
    HostRunner& operator=(const HostRunner&) = delete;

    virtual Result<HostCost> cost(const graph::Program& program) = 0;
    /// The loss of each probe example in evaluation mode, always in the same order, with controls
    /// as they are in the store.
    virtual Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program) = 0;
    /// The closed-form last layer and the gain it promises; nothing where that cannot be measured.
    virtual Result<std::optional<ReadoutFit>> fit(const ReadoutRequest& request) = 0;
    /// The size at which an isolated seed helps most; nothing where that cannot be measured.
    virtual Result<std::optional<SeedScale>> fit_scale(const ScaleRequest& request) = 0;
    /// What was prepared for other Programs than these may be dropped.
    virtual void keep_only(const std::vector<graph::ProgramPtr>& programs) = 0;
};

/// The host as a Program in the engine, measured on the parts of a dataset.
class EngineRunner final : public HostRunner {
  public:
    EngineRunner(Engine& engine, graph::TensorStore& store, const Dataset& dataset,
                 std::uint32_t batch_size, std::uint32_t train_examples)
        : engine_(&engine),
          store_(&store),
          dataset_(&dataset),
          batch_size_(batch_size),
          train_examples_(train_examples) {}

    Result<HostCost> cost(const graph::Program& program) override;
    Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program) override;
    Result<std::optional<ReadoutFit>> fit(const ReadoutRequest& request) override;
    Result<std::optional<SeedScale>> fit_scale(const ScaleRequest& request) override;
    void keep_only(const std::vector<graph::ProgramPtr>& programs) override {
        engine_->keep_only(programs);
    }

  private:
    Engine* engine_;
    graph::TensorStore* store_;
    const Dataset* dataset_;
    std::uint32_t batch_size_;
    std::uint32_t train_examples_;  ///< that the run learns from
};

}  // namespace esper::tolaria
