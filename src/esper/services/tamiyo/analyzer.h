#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "esper/base/error.h"
#include "esper/contracts/enums.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// Turns what slots report each epoch into one health score each, smoothed over epochs.
///
/// Three parts, each from 0 to 1: activity (1 - dead ratio), and how far activation variance and
/// gradient norm stand from the network's middle slot (0 at a thousandfold or a thousandth). The
/// score is their mean over those that were ever measured; a slot of which nothing is known has
/// none.
class HealthAnalyzer {
  public:
    /// `smoothing`: weight of the newest value in the moving averages; the first counts whole.
    explicit HealthAnalyzer(double smoothing = 0.1) : smoothing_(smoothing) {}

    /// Takes in one epoch. Values that are not finite count as not measured.
    void observe(const ControllerView& view);

    std::optional<double> health(std::uint32_t slot) const;
    /// ≥ 0.8 healthy, ≥ 0.6 warning, else critical.
    static contracts::HealthVerdict verdict(double health);

    nlohmann::json save() const;
    Status restore(const nlohmann::json& state);

  private:
    struct Averages {
        std::optional<double> variance;
        std::optional<double> dead;
        std::optional<double> gradient;
    };
    void score();

    double smoothing_;
    std::vector<Averages> slots_;
    std::vector<std::optional<double>> health_;
};

}  // namespace esper::tamiyo
