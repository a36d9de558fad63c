#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "esper/base/error.h"
#include "esper/contracts/enums.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// Turns the slots' signals of each epoch into one health score per slot, smoothed over epochs.
///
/// The score is the mean of up to three parts, each from 0 to 1: activity (1 - dead ratio), and how
/// close activation variance and gradient norm are to the median over all slots (1: equal; 0: a
/// thousand times or a thousandth of it). Parts that were never measured are left out; a slot
/// without any measured part has no score.
class HealthAnalyzer {
  public:
    /// `smoothing`: weight of the newest value in the moving averages. The first value starts them.
    explicit HealthAnalyzer(double smoothing = 0.1) : smoothing_(smoothing) {}

    /// Adds one epoch. Values that are not finite count as not measured.
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
