#pragma once

#include "bindings.h"
#include "esper/services/tolaria/growth.h"
#include "esper/services/tolaria/run_folder.h"

namespace esper::python {

/// The host in PyTorch, measured by calls into Python. Free sizes cost nothing here: what a seed
/// costs is counted for the anchor's shape, what the host costs was counted once.
class ForeignRunner final : public tolaria::HostRunner {
  public:
    /// `measure` has probe_losses(Program) → list of floats, and sample(Program, anchor) → (loss,
    /// y, gradient) or None, and held_out(Program) → loss or None.
    ForeignRunner(graph::TensorStore& store, py::object measure, tolaria::HostCost host)
        : store_(&store), measure_(std::move(measure)), host_(host) {}

    Result<tolaria::HostCost> cost(const graph::Program& program) override;
    Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program) override;
    Result<std::optional<tolaria::ReadoutFit>> fit(const tolaria::ReadoutRequest& request) override;
    void keep_only(const std::vector<graph::ProgramPtr>&) override {}

  private:
    graph::TensorStore* store_;
    py::object measure_;
    tolaria::HostCost host_;
};

}  // namespace esper::python
