#include "esper/services/tamiyo/tournament.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {
namespace {

/// Costs below a thousandth of the host's FLOPs count as equal, so that no score is infinite.
constexpr double kLeastFlops = 1e-3;
/// Kernels above this risk score are speculative.
constexpr double kSpeculativeRisk = 0.5;

/// Sorts by a key that is taken once of each; equal ones keep their order.
template <typename T, typename Key>
void sort_by(std::vector<T>& values, Key key) {
    std::vector<std::pair<double, T>> keyed;
    keyed.reserve(values.size());
    for (const T& value : values) keyed.emplace_back(key(value), value);
    const auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (std::is_sorted(keyed.begin(), keyed.end(), less)) return;
    std::stable_sort(keyed.begin(), keyed.end(), less);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = keyed[i].second;
}

}  // namespace

Tournament::Tournament(const configs::GrowthConfig& growth,
                       const configs::ControllerConfig& controller, std::uint64_t run_seed)
    : size_(controller.tournament),
      price_(controller.price),
      max_flops_ratio_(growth.limits.max_flops_ratio),
      speculative_(growth.allow_speculative),
      shams_(growth.sham),
      run_seed_(run_seed) {}

bool Tournament::may_enter(const ControllerView& view, const Candidate& c) const {
    const SlotView* slot = view.slot(c.slot);
    if (!slot || slot->state != SeedState::kDormant) return false;
    if (c.sham && !shams_) return false;
    if (!speculative_ && c.risk && *c.risk > kSpeculativeRisk) return false;
    if (!affordable(view.flops_ratio * (1.0 + c.relative_flops))) return false;
    // Shams must reach the gate, so the line search does not reject them.
    return c.sham || !c.predicted_gain ||
           (std::isfinite(*c.predicted_gain) && *c.predicted_gain > 0);
}

std::vector<std::size_t> Tournament::eligible(const ControllerView& view) const {
    std::vector<std::size_t> real;
    std::vector<std::size_t> shams;
    for (std::size_t i = 0; i < view.candidates.size(); ++i) {
        if (!may_enter(view, view.candidates[i])) continue;
        (view.candidates[i].sham ? shams : real).push_back(i);
    }
    return is_shams_turn() && !shams.empty() ? shams : real;
}

std::optional<double> Tournament::score(const ControllerView& view, const Candidate& c) const {
    if (!c.predicted_gain || !std::isfinite(*c.predicted_gain)) return std::nullopt;
    const SlotView* slot = view.slot(c.slot);
    const auto culled = slot ? culls_.find({slot->anchor, c.blueprint}) : culls_.end();
    const double tries = culled == culls_.end() ? 1.0 : 1.0 + static_cast<double>(culled->second);
    return *c.predicted_gain / std::max(c.relative_flops, kLeastFlops) / tries;
}

double Tournament::price(const Candidate& c) const {
    return price_.memory * c.memory_mb.value_or(0) + price_.latency * c.latency_ms.value_or(0) +
           price_.risk * c.risk.value_or(0);
}

std::vector<std::size_t> Tournament::drawn(const ControllerView& view, std::string_view purpose,
                                           std::vector<std::size_t> from) const {
    RandomStream stream(run_seed_, purpose, static_cast<std::uint64_t>(view.step));
    const auto order = random_permutation(stream, static_cast<std::uint32_t>(from.size()));
    std::vector<std::size_t> shuffled;
    shuffled.reserve(from.size());
    for (const std::uint32_t i : order) shuffled.push_back(from[i]);
    return shuffled;
}

std::vector<std::size_t> Tournament::nominate(const ControllerView& view,
                                              const Health& health) const {
    std::vector<std::size_t> all = eligible(view);
    std::vector<std::uint32_t> slots;
    for (const std::size_t i : all) slots.push_back(view.candidates[i].slot);
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    // Slots whose health was never measured come after the measured ones.
    sort_by(slots, [&](std::uint32_t slot) { return health(slot).value_or(2); });
    if (slots.size() > static_cast<std::size_t>(size_.places)) {
        slots.resize(static_cast<std::size_t>(size_.places));
    }
    sort_by(all, [&](std::size_t i) { return price(view.candidates[i]); });
    std::vector<std::size_t> chosen;
    std::vector<std::size_t> others;
    for (const std::size_t i : all) {
        const bool at_place =
            std::find(slots.begin(), slots.end(), view.candidates[i].slot) != slots.end();
        const bool has_room = chosen.size() < static_cast<std::size_t>(size_.candidates);
        (at_place && has_room && !view.candidates[i].unlikely ? chosen : others).push_back(i);
    }
    others = drawn(view, "tamiyo.nominate", std::move(others));
    const auto extra = std::min(others.size(), static_cast<std::size_t>(size_.random_entrants));
    chosen.insert(chosen.end(), others.begin(),
                  others.begin() + static_cast<std::ptrdiff_t>(extra));
    return chosen;
}

std::vector<Entrant> Tournament::rank(const ControllerView& view) const {
    std::vector<Entrant> entrants = shuffled(view);
    std::erase_if(entrants, [&](const Entrant& e) {
        return view.candidates[e.candidate].unlikely && !e.score;
    });
    const auto unmeasured = std::stable_partition(
        entrants.begin(), entrants.end(), [](const Entrant& e) { return e.score.has_value(); });
    std::stable_sort(entrants.begin(), unmeasured,
                     [](const Entrant& a, const Entrant& b) { return *a.score > *b.score; });
    return entrants;
}

std::vector<Entrant> Tournament::shuffled(const ControllerView& view) const {
    std::vector<Entrant> entrants;
    for (const std::size_t i : drawn(view, "tamiyo.tournament", eligible(view))) {
        entrants.push_back({i, score(view, view.candidates[i])});
    }
    return entrants;
}

void Tournament::observe(const ControllerView& view) {
    for (const SlotView& slot : view.slots) {
        const auto before = seen_.find(slot.index);
        const bool newly = before == seen_.end() || before->second != SeedState::kCulled;
        if (slot.state == SeedState::kCulled && newly && !slot.blueprint.empty()) {
            ++culls_[{slot.anchor, slot.blueprint}];
        }
        seen_[slot.index] = slot.state;
    }
}

nlohmann::json Tournament::save() const {
    nlohmann::json culls = nlohmann::json::array();
    for (const auto& [pair, count] : culls_) culls.push_back({pair.first, pair.second, count});
    nlohmann::json seen = nlohmann::json::array();
    for (const auto& [slot, state] : seen_) seen.push_back({slot, contracts::to_text(state)});
    return {{"germinated", germinated_}, {"culls", std::move(culls)}, {"seen", std::move(seen)}};
}

Status Tournament::restore(const nlohmann::json& state) {
    return restore_guarded("the tournament", [&] {
        std::map<Pair, std::int64_t> culls;
        for (const auto& c : state.at("culls")) {
            culls[{c.at(0).get<std::string>(), c.at(1).get<std::string>()}] =
                c.at(2).get<std::int64_t>();
        }
        std::map<std::uint32_t, SeedState> seen;
        for (const auto& s : state.at("seen")) {
            seen[s.at(0).get<std::uint32_t>()] = enum_of<SeedState>(s.at(1).get<std::string>());
        }
        germinated_ = state.at("germinated").get<std::int64_t>();
        culls_ = std::move(culls);
        seen_ = std::move(seen);
    });
}

}  // namespace esper::tamiyo
