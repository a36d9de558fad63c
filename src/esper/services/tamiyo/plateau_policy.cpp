#include "esper/services/tamiyo/growing_policy.h"

namespace esper::tamiyo {
namespace {

/// Germinates when the validation loss is stuck.
class PlateauPolicy final : public GrowingPolicy {
  public:
    using GrowingPolicy::GrowingPolicy;
    std::string_view name() const override { return "plateau"; }

  private:
    Answer when(const ControllerView& view) const override { return plateau(trend(view)); }
};

}  // namespace

std::unique_ptr<Policy> make_plateau_policy(const configs::GrowthConfig& growth,
                                            const configs::ControllerConfig& controller,
                                            const RunShape& run) {
    return std::make_unique<PlateauPolicy>(growth, controller, run);
}

}  // namespace esper::tamiyo
