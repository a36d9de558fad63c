#pragma once

#include "bindings.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/grow/foreign_growth.h"

namespace esper::python {

/// A host that PyTorch runs; calls into Python measure it. The cost of a seed is counted from the
/// anchor's shape; the cost of the host was counted once.
class ForeignRunner final : public tolaria::HostRunner {
  public:
    /// `measure` is a Python object with probe_losses(Program) → list of floats, and
    /// settle(Program).
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
