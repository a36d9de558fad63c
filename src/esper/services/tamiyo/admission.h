#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "esper/services/tamiyo/errors.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// The rules that every policy must keep before a seed germinates: the step lies in the growth
/// window, the pause after the last germination is over, the limits on the number of seeds hold,
/// and the run has enough steps left for the seed's whole life.
class Admission {
  public:
    Admission(const configs::GrowthConfig& growth, const RunShape& run);

    struct Room {
        int seeds = 0;  ///< number of seeds that may germinate now
        std::string why_none;
    };
    Room room(const ControllerView& view) const;
    void germinated(const ControllerView& view);

    std::optional<std::int64_t> last_step() const { return last_step_; }
    /// The growth window's bounds in steps.
    std::int64_t window_start() const { return start_; }
    std::int64_t window_stop() const { return stop_; }

    nlohmann::json save() const;
    Status restore(const nlohmann::json& state);

  private:
    configs::GrowthConfig growth_;
    std::int64_t whole_life_;
    std::int64_t cooldown_;
    std::int64_t start_;
    std::int64_t stop_;
    std::optional<std::int64_t> last_step_;
    int at_last_step_ = 0;
};

}  // namespace esper::tamiyo
