#pragma once

#include <optional>
#include <string>

#include "esper/base/clock.h"
#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::tolaria {

/// What `run.precision: auto` stands for in a run, and why.
struct PrecisionChoice {
    configs::Precision chosen = configs::Precision::kFp32;
    std::string why;
    std::optional<double> fp32_ms = {}, bf16_ms = {};  ///< of one step, where that was measured
};

/// With run.deterministic, the same on every machine of a kind: bf16 where the processor computes
/// in it and a training step is large enough to pay for the conversions, else fp32. Without, both
/// are timed on a copy of the network, and bf16 is taken where it is a tenth faster. What that
/// costs is added to `flops`. Errors: those of engine and data.
Result<PrecisionChoice> choose_precision(const configs::EsperConfig& config, const Learner& learner,
                                         const Dataset& dataset, Clock& clock, Flops& flops);

/// FLOPs of a training step from which on bf16 is chosen without a measurement.
inline constexpr double kLeastFlopsForBf16 = 5e8;

}  // namespace esper::tolaria
