#include "esper/services/urabrask/risk.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace esper::urabrask {

namespace {

constexpr std::array kEdges{0.0, 0.05, 0.1, 0.2, 0.5, 1.0};
constexpr double kOf95Percent = 1.959964;

double logistic(double z) { return 1 / (1 + std::exp(-z)); }

void add_interval(RiskBin& bin) {
    if (bin.uses == 0) return;
    const auto n = static_cast<double>(bin.uses);
    const double share = static_cast<double>(bin.failures) / n;
    const double z2 = kOf95Percent * kOf95Percent;
    const double middle = (share + z2 / (2 * n)) / (1 + z2 / n);
    const double half =
        kOf95Percent * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n);
    bin.low = std::max(0.0, middle - half);
    bin.high = std::min(1.0, middle + half);
}

}  // namespace

RiskFigures risk_figures(const Findings& findings) {
    RiskFigures figures;
    if (findings.allowed > 0) figures.error_share = findings.error / findings.allowed;
    if (findings.speeds.empty()) return figures;
    const auto& speed = findings.speeds.front();
    if (speed.times.ratio > 0)
        figures.speed_spread = (speed.times.high - speed.times.low) / speed.times.ratio;
    if (speed.peer_peak_bytes > 0) figures.memory_ratio = speed.peak_bytes / speed.peer_peak_bytes;
    return figures;
}

double measured_risk(const RiskFigures& figures) {
    return logistic(kIntercept + kOfErrorShare * figures.error_share +
                    kOfSpread * std::min(figures.speed_spread, 1.0) +
                    kOfMemory * std::log2(std::clamp(figures.memory_ratio, 1.0, kMostMemory)));
}

double odds_factor(const FieldCounts& library) {
    return (static_cast<double>(library.failures) + 1) / (library.expected + 1);
}

double risk_score(double measured, const FieldCounts& library, const FieldCounts& blueprint) {
    const double odds = measured / (1 - measured) * odds_factor(library);
    return (kPriorUses * odds / (1 + odds) + static_cast<double>(blueprint.failures)) /
           (kPriorUses + static_cast<double>(blueprint.uses));
}

std::vector<RiskBin> calibration(const std::vector<PredictedUse>& uses) {
    std::vector<RiskBin> bins;
    for (std::size_t i = 0; i + 1 < kEdges.size(); ++i) {
        RiskBin bin{kEdges[i], kEdges[i + 1]};
        double sum = 0;
        for (const auto& use : uses) {
            if (use.risk > bin.to || (use.risk <= bin.from && i > 0)) continue;
            ++bin.uses;
            bin.failures += use.failed ? 1 : 0;
            sum += use.risk;
        }
        if (bin.uses > 0) bin.predicted = sum / static_cast<double>(bin.uses);
        add_interval(bin);
        bins.push_back(bin);
    }
    return bins;
}

}  // namespace esper::urabrask
