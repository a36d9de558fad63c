#include "esper/services/tolaria/grow/foreign_growth.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/grow/first_readout.h"
#include "esper/services/tolaria/grow/gate_looks.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

std::vector<std::optional<double>> where_measured(const std::vector<double>& values) {
    std::vector<std::optional<double>> seen;
    for (double v : values) seen.push_back(std::isfinite(v) ? std::optional(v) : std::nullopt);
    return seen;
}

}  // namespace

Result<std::unique_ptr<ForeignGrowth>> ForeignGrowth::create(const Context& context,
                                                             const graph::ProgramPtr& host) {
    std::unique_ptr<ForeignGrowth> growth(new ForeignGrowth(context));
    auto& c = growth->context_;
    ESPER_TRY(growth->places_, SeedPlaces::find(c.config.growth, host, c.store));
    growth->measurer_ =
        std::make_unique<ForeignMeasurer>(c.config, c.length, *growth->places_, c.runner);
    ESPER_TRY(growth->lives_,
              SeedLives::create({c.config, c.length, *growth->places_, *growth->measurer_,
                                 [&c](const std::string& kind, Moment now, nlohmann::json detail) {
                                     return c.log.event(kind, now.step, now.epoch,
                                                        std::move(detail));
                                 }}));
    return growth;
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<GateLooks> ForeignMeasurer::look(const tamiyo::LookRequest& request, Moment) {
    const auto& slot = places_.slots()[request.slot];
    const auto alpha = graph::seed_control(slot.seed);
    auto& store = places_.store();
    ESPER_TRY(const auto blended, blended_for(places_, request));
    ESPER_CHECK_STATUS(store.set_control(alpha, 0));
    ESPER_TRY(auto without, runner_.probe_losses(blended));
    ESPER_CHECK_STATUS(store.set_control(alpha, 1));
    ESPER_TRY(auto with, runner_.probe_losses(blended));
    if (request.stage == tamiyo::GateStage::kBeforeGraft) store.remove_control(alpha);
    if (without.size() != with.size())
        return fail(TolariaError::kUnsupported,
                    "the probe set had " + std::to_string(without.size()) +
                        " examples without the seed and " + std::to_string(with.size()) +
                        " with it; it must be the same ones each time");
    const auto order =
        tamiyo::probe_order(config_.run.seed, static_cast<std::uint32_t>(with.size()));
    GateLooks looks;
    looks.gate.emplace(tamiyo::look(differences(without, with, order), request.spec));
    if (request.fork)
        looks.fork_detail = {{"measured", false},
                             {"why", "the host is trained outside Esper, which keeps no fork"}};
    return looks;
}

// A closed form needs the caller's training data; without it the drawn values stay.
Result<FirstReadout> ForeignMeasurer::first_readout(std::uint32_t, const blueprints::Blueprint&,
                                                    Moment) {
    return FirstReadout{.zero = config_.growth.readout == configs::Readout::kZero};
}

Status ForeignGrowth::set_first_values(std::uint32_t slot, const std::string& seed,
                                       const blueprints::Blueprint& blueprint) {
    ESPER_TRY(const auto readout, measurer_->first_readout(slot, blueprint, {}));
    write_first_readout(context_.store, seed, blueprint, readout);
    return {};
}

Status ForeignGrowth::at_boundary(std::int64_t step, const Losses& losses) {
    return lives_->at_boundary(moment(step), where_measured(losses.train),
                               where_measured(losses.validation));
}

Status ForeignGrowth::take_out(const std::string& seed, const std::string& reason,
                               std::int64_t step) {
    const auto now = moment(step);
    for (const auto& slot : places_->slots()) {
        if (slot.seed != seed || seed.empty()) continue;
        ESPER_CHECK_STATUS(
            context_.log.event("fault", now.step, now.epoch,
                               {{"seed", slot.seed}, {"anchor", slot.anchor}, {"reason", reason}}));
        lives_->count_culled();
        return kasmina().fault(slot.index,
                               static_cast<std::uint32_t>(context_.config.growth.embargo.value),
                               now, reason);
    }
    return {};
}

nlohmann::json ForeignGrowth::save() const {
    Saved state;
    state.lives = lives_->save();
    return saved::write(state);
}

Status ForeignGrowth::restore(const nlohmann::json& json, graph::ProgramPtr program) {
    ESPER_TRY(const auto present, upgrade_growth(json));
    ESPER_TRY(const auto state, read_growth_state<Saved>(present, "growth"));
    return lives_->restore(state.lives, std::move(program));
}

}  // namespace esper::tolaria
