#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "esper/program/cost/cost.h"
#include "esper/services/tamiyo/gate.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/learner.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {

/// One of the networks that a look compares: its losses on the probe set, as far as it was walked.
class ProbeSide {
  public:
    /// `program` runs with `alpha` in the control of that name; an empty name: it has none.
    ProbeSide(Learner& learner, graph::ProgramPtr program, std::string control = "",
              double alpha = 0)
        : learner_(learner),
          program_(std::move(program)),
          control_(std::move(control)),
          alpha_(alpha) {}

    /// FLOPs of so many examples of those data.
    Result<double> cost(std::int64_t examples, const DatasetInfo& info);
    /// Walks on through these examples of the probe set. The running statistics are those of this
    /// network: gathered again before its first example. Returns what it cost.
    Result<double> walk(const ExampleSource& source, std::span<const std::uint32_t> examples);
    const std::vector<float>& losses() const { return losses_; }

  private:
    Learner& learner_;
    graph::ProgramPtr program_;
    std::string control_;
    double alpha_;
    std::optional<graph::Cost> cost_;
    bool begun_ = false;
    KeptBuffers statistics_;
    std::vector<float> losses_;
};

/// a − b, example by example.
std::vector<float> differences(const ProbeSide& a, const ProbeSide& b);

}  // namespace esper::tolaria
