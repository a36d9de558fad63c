#pragma once

#include "bindings.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/grow/foreign_growth.h"

namespace esper::python {

/// The host in PyTorch, measured by calls into Python: what a seed costs is counted for the
/// anchor's shape, what the host costs was counted once.
class ForeignRunner final : public tolaria::HostRunner {
  public:
    /// `measure` has probe_losses(Program) → list of floats, and settle(Program).
    ForeignRunner(py::object measure, tolaria::HostCost host)
        : measure_(std::move(measure)), host_(host) {}

    Result<tolaria::HostCost> cost(const graph::Program& program) override;
    Result<std::vector<float>> probe_losses(const graph::ProgramPtr& program) override;
    Status settle(const graph::ProgramPtr& program) override;

  private:
    py::object measure_;
    tolaria::HostCost host_;
};

}  // namespace esper::python
