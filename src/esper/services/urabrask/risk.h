#pragma once

#include <cstdint>
#include <vector>

#include "esper/services/urabrask/gauntlet.h"

namespace esper::urabrask {

/// What a trial measured that bears on whether the kernel will fail in a run.
struct RiskFigures {
    double error_share = 0;   ///< of the largest error in what is allowed, 0–1
    double speed_spread = 0;  ///< width of the speed's 95 % interval, in speeds
    double memory_ratio = 0;  ///< peak memory, in peaks of the operators
};
/// Of the first shape.
RiskFigures risk_figures(const Findings& findings);

/// The probability of failing in a run, from the trial alone: the logistic of
/// kIntercept + kOfErrorShare · share + kOfSpread · min(spread, 1) + kOfMemory · log2(max(ratio,
/// 1)), with a ratio of at most kMostMemory. Nobody has seen enough failures to fit these: they say
/// that an exact kernel of sure speed fails once in 150 runs, and one that used all of its bound
/// and whose speed is not sure, three times in four.
double measured_risk(const RiskFigures& figures);
inline constexpr double kIntercept = -5;
inline constexpr double kOfErrorShare = 4;
inline constexpr double kOfSpread = 2;
inline constexpr double kOfMemory = 1;
inline constexpr double kMostMemory = 8;

/// What became of kernels in the field. A use is a kernel in a run.
struct FieldCounts {
    std::int64_t uses = 0;
    std::int64_t failures = 0;
    double expected = 0;  ///< failures: the sum of the uses' measured_risk()

    void add(double measured, bool failed) {
        ++uses;
        failures += failed ? 1 : 0;
        expected += measured;
    }
};

/// By what the odds of a trial's risk are multiplied after what was seen of all kernels:
/// (failures + 1) / (expected + 1).
double odds_factor(const FieldCounts& library);

/// The probability of failing in a run: that of `measured` with its odds times odds_factor() counts
/// as kPriorUses uses, to which those of kernels of the same blueprint are added.
double risk_score(double measured, const FieldCounts& library, const FieldCounts& blueprint);
inline constexpr double kPriorUses = 5;

/// A use whose risk was predicted.
struct PredictedUse {
    double risk = 0;
    bool failed = false;
};
/// Predicted against observed.
struct RiskBin {
    double from = 0, to = 0;  ///< risks above `from`, up to `to`
    std::int64_t uses = 0;
    std::int64_t failures = 0;
    double predicted = 0;  ///< mean
    /// 95 % interval of the share that fails (Wilson, J. Am. Stat. Assoc. 22, 1927).
    double low = 0, high = 1;
    bool is_calibrated() const { return low <= predicted && predicted <= high; }
};
/// In bins whose edges include those of the confidence levels, 0.2 and 0.5; empty ones are there.
std::vector<RiskBin> calibration(const std::vector<PredictedUse>& uses);

}  // namespace esper::urabrask
