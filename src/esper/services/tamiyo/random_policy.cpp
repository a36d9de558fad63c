#include <fmt/format.h>

#include <algorithm>

#include "esper/base/random.h"
#include "esper/services/tamiyo/growing_policy.h"

namespace esper::tamiyo {
namespace {

/// For comparison: germinates at random boundaries, once per period on average, and at random
/// places. It ignores the loss and the gains.
class RandomPolicy final : public GrowingPolicy {
  public:
    using GrowingPolicy::GrowingPolicy;
    std::string_view name() const override { return "random"; }

  private:
    Answer when(const ControllerView& view) const override {
        const auto period =
            static_cast<double>(std::max<std::int64_t>(steps_of(config().period, run()), 1));
        const double chance = std::min(1.0, static_cast<double>(run().steps_per_epoch) / period);
        RandomStream stream(run().seed, "tamiyo.random_policy",
                            static_cast<std::uint64_t>(view.step));
        const double drawn = stream.uniform();
        return {drawn < chance,
                fmt::format("the draw was {:.3f}, below {:.3f} germinates", drawn, chance),
                {{"draw", drawn}, {"chance", chance}}};
    }
    std::vector<Entrant> line_up(const ControllerView& view) const override {
        return tournament().shuffled(view);
    }
    bool measures() const override { return false; }
};

}  // namespace

std::unique_ptr<Policy> make_random_policy(const configs::GrowthConfig& growth,
                                           const configs::ControllerConfig& controller,
                                           const RunShape& run) {
    return std::make_unique<RandomPolicy>(growth, controller, run);
}

}  // namespace esper::tamiyo
