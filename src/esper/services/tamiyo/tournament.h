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
    /// Predicted gain per relative FLOP, halved for the first cull of the same pair, a third for
    /// the second, …; nothing: not measured.
    std::optional<double> score = {};
};

/// Pairs compete before anything germinates: by the gain predicted for them per FLOP. Two rounds,
/// because predicting a gain costs passes over data: `nominate` picks whose gain is measured,
/// `rank` orders those that may germinate.
class Tournament {
  public:
    Tournament(const configs::GrowthConfig& growth, const configs::ControllerConfig& controller,
               std::uint64_t run_seed);

    /// The health of a slot, where it was ever measured.
    using Health = std::function<std::optional<double>(std::uint32_t slot)>;

    /// Pairs at the `places` slots in worst health, cheapest first, `candidates` in all, and
    /// `random_entrants` more drawn from everybody else.
    std::vector<std::size_t> nominate(const ControllerView& view, const Health& health) const;

    /// Those that may germinate now: with a measured gain above zero, best score first; then those
    /// without a measurement, in random order. Pairs whose measured gain is zero or less, which are
    /// too risky or would exceed limits.max_flops_ratio are left out. While it is a sham's turn
    /// (growth.sham, every second germination) only shams are ranked, if there are any.
    std::vector<Entrant> rank(const ControllerView& view) const;

    /// Everyone who may germinate in random order, whatever was measured.
    std::vector<Entrant> shuffled(const ControllerView& view) const;

    /// limits.max_flops_ratio allows a network of so many times the first one's FLOPs.
    bool affordable(double flops_ratio) const { return flops_ratio <= max_flops_ratio_; }
    bool is_shams_turn() const { return shams_ && germinated_ % 2 == 1; }
    void germinated() { ++germinated_; }
    /// Remembers which pairs were culled; call at every boundary.
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
