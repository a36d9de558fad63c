#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esper/configs/controller.h"
#include "esper/configs/growth.h"
#include "esper/services/tamiyo/errors.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// One (slot, blueprint) pair that may germinate.
struct Entrant {
    std::size_t candidate = 0;  ///< index into view.candidates
    /// Predicted gain per relative FLOP, divided by 1 + the number of times that this pair has been
    /// culled; nothing if it was not measured.
    std::optional<double> score = {};
};

/// Chooses the (slot, blueprint) pairs that germinate, by their predicted gain per FLOP. Measuring
/// a gain costs passes over data, so there are two rounds: `nominate` picks the pairs to measure,
/// `rank` orders the pairs that may germinate.
class Tournament {
  public:
    Tournament(const configs::GrowthConfig& growth, const configs::ControllerConfig& controller,
               std::uint64_t run_seed);

    /// The health of a slot; nothing if it was never measured.
    using Health = std::function<std::optional<double>(std::uint32_t slot)>;

    /// Up to `candidates` pairs at the `places` slots in worst health, cheapest first, and
    /// `random_entrants` pairs drawn from the rest (three keys of controller.tournament). A pair
    /// whose blueprint past runs hardly ever chose is one of the rest.
    std::vector<std::size_t> nominate(const ControllerView& view, const Health& health) const;

    /// The pairs that may germinate now: first those with a measured gain above zero, best score
    /// first, then those without a measurement, in random order. Left out are unlikely pairs that
    /// were not measured, pairs with a measured
    /// gain of zero or less, pairs that are too risky and pairs that would exceed
    /// limits.max_flops_ratio. With growth.sham every second germination ranks only shams, if any.
    std::vector<Entrant> rank(const ControllerView& view) const;

    /// All pairs that may germinate, in random order; measured gains are ignored.
    std::vector<Entrant> shuffled(const ControllerView& view) const;

    /// Whether limits.max_flops_ratio allows a network with `flops_ratio` times the initial FLOPs.
    bool affordable(double flops_ratio) const { return flops_ratio <= max_flops_ratio_; }
    bool is_shams_turn() const { return shams_ && germinated_ % 2 == 1; }
    void germinated() { ++germinated_; }
    /// Counts the pairs that were culled. Call at every boundary.
    void observe(const ControllerView& view);

    nlohmann::json save() const;
    Status restore(const nlohmann::json& state);

  private:
    using Pair = std::pair<std::string, std::string>;  ///< anchor, blueprint
    std::vector<std::size_t> eligible(const ControllerView& view) const;
    bool may_enter(const ControllerView& view, const Candidate& candidate) const;
    std::optional<double> score(const ControllerView& view, const Candidate& candidate) const;
    double price(const Candidate& candidate) const;
    std::vector<std::size_t> drawn(const ControllerView& view, std::string_view purpose,
                                   std::vector<std::size_t> from) const;

    configs::TournamentConfig size_;
    configs::PriceConfig price_;
    double max_flops_ratio_;
    bool speculative_;
    bool shams_;
    std::uint64_t run_seed_;
    std::int64_t germinated_ = 0;
    std::map<Pair, std::int64_t> culls_;
    std::map<std::uint32_t, SeedState> seen_;
};

}  // namespace esper::tamiyo
