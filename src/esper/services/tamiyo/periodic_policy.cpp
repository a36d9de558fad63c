#include <fmt/format.h>

#include "esper/services/tamiyo/growing_policy.h"

namespace esper::tamiyo {
namespace {

/// Germinates at the window's start and then whenever controller.period has passed.
class PeriodicPolicy final : public GrowingPolicy {
  public:
    using GrowingPolicy::GrowingPolicy;
    std::string_view name() const override { return "periodic"; }

  private:
    Answer when(const ControllerView& view) const override {
        const std::int64_t period = steps_of(config().period, run());
        const auto last = admission().last_step();
        if (!last) return {true, "the window for growth is open and nothing has germinated yet"};
        const std::int64_t since = view.step - *last;
        const bool due = since >= period || since == 0;
        return {due,
                fmt::format("{} steps have passed since the last germination, the period is {}",
                            since, period),
                {{"steps_since_germination", static_cast<double>(since)},
                 {"period", static_cast<double>(period)}}};
    }
};

}  // namespace

std::unique_ptr<Policy> make_periodic_policy(const configs::GrowthConfig& growth,
                                             const configs::ControllerConfig& controller,
                                             const RunShape& run) {
    return std::make_unique<PeriodicPolicy>(growth, controller, run);
}

}  // namespace esper::tamiyo
