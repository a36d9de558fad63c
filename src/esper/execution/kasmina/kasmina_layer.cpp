#include "esper/execution/kasmina/kasmina_layer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/hash.h"

namespace esper::execution {

namespace {

std::string block_of(const std::string& seed) { return "seed." + seed; }
std::string alpha_of(const std::string& seed) { return "alpha." + seed; }

// A host's own tensors may lie elsewhere: only the seed's are looked at.
Status add_seed(graph::TensorStore& store, const graph::Program& program, const std::string& seed) {
    return store.add(program, block_of(seed), block_of(seed) + ".");
}

ComponentType actor_for(SeedState from, SeedState to) {
    if (to == SeedState::kErrorRecovery) return ComponentType::kKasmina;
    if (to == SeedState::kRolledBack) return ComponentType::kTolaria;
    if (from == SeedState::kLoading || to == SeedState::kDormant) return ComponentType::kKasmina;
    return ComponentType::kTamiyo;
}

}  // namespace

KasminaLayer::KasminaLayer(graph::ProgramPtr host, std::vector<std::string> anchors,
                           graph::TensorStore& store)
    : program_(std::move(host)),
      store_(&store),
      table_(std::make_unique<StateTable>(static_cast<std::uint32_t>(anchors.size()))) {
    for (auto& anchor : anchors) {
        SeedSlot slot;
        slot.index = static_cast<std::uint32_t>(slots_.size());
        slot.anchor = std::move(anchor);
        slots_.push_back(std::move(slot));
    }
}

Status KasminaLayer::move(SeedSlot& slot, SeedState to, std::int64_t step, std::uint32_t epoch,
                          std::uint32_t embargo) {
    Transition transition;
    transition.seed = slot.index;
    transition.to = to;
    transition.actor = actor_for(table_->state(slot.index), to);
    transition.epoch = epoch;
    transition.kernel_id = slot.blueprint.empty() ? 0 : sha256(slot.blueprint).prefix64();
    transition.embargo_epochs = embargo;
    ESPER_TRY(auto left, table_->transition(transition));
    (void)left;
    slot.entered_step = step;
    return {};
}

Status KasminaLayer::edit(const graph::Edit& change, const std::string& reason) {
    ESPER_TRY(auto after, graph::apply(*program_, change));
    if (listener_) ESPER_CHECK_STATUS(listener_(change, *after, reason));
    program_ = after;
    return {};
}

Status KasminaLayer::germinate(std::uint32_t index, const std::string& blueprint_name,
                               const graph::ProgramPtr& blueprint, bool has_parameters,
                               std::int64_t step, std::uint32_t epoch, const std::string& reason) {
    auto& slot = slots_.at(index);
    const auto seed = next_seed();
    const auto old = slot;
    slot.blueprint = blueprint_name;
    if (auto ok = move(slot, SeedState::kGerminated, step, epoch); !ok) {
        slot = old;
        return ok;
    }
    ++germinated_;
    slot.seed = seed;
    ESPER_CHECK_STATUS(move(slot, SeedState::kLoading, step, epoch));
    auto loaded = edit(graph::InsertSeed{seed, slot.anchor, blueprint_name, blueprint}, reason);
    if (loaded) loaded = add_seed(*store_, *program_, seed);
    if (!loaded) {
        slot.seed.clear();
        ESPER_CHECK_STATUS(move(slot, SeedState::kCulled, step, epoch));
        return loaded;
    }
    if (has_parameters) return move(slot, SeedState::kTraining, step, epoch);
    ESPER_CHECK_STATUS(edit(graph::SetSeedMode{seed, graph::SeedMode::kBlended}, reason));
    ESPER_CHECK_STATUS(add_seed(*store_, *program_, seed));
    return move(slot, SeedState::kGrafting, step, epoch);
}

Status KasminaLayer::graft(std::uint32_t index, contracts::GraftingStrategy strategy,
                           std::int64_t ramp_steps, std::int64_t step, std::uint32_t epoch,
                           const std::string& reason) {
    auto& slot = slots_.at(index);
    if (table_->state(index) != SeedState::kGrafting) {
        ESPER_CHECK_STATUS(
            check_transition(table_->state(index), SeedState::kGrafting, ComponentType::kTamiyo));
        ESPER_CHECK_STATUS(edit(graph::SetSeedMode{slot.seed, graph::SeedMode::kBlended}, reason));
        ESPER_CHECK_STATUS(add_seed(*store_, *program_, slot.seed));
        ESPER_CHECK_STATUS(move(slot, SeedState::kGrafting, step, epoch));
    }
    slot.ramp = RampClock(strategy, ramp_steps);
    return set_alpha(index, slot.ramp.alpha());
}

Status KasminaLayer::advance(std::uint32_t index, SeedState to, std::int64_t step,
                             std::uint32_t epoch) {
    return move(slots_.at(index), to, step, epoch);
}

Status KasminaLayer::fossilize(std::uint32_t index, std::int64_t step, std::uint32_t epoch,
                               const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kFossilized, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(edit(graph::SetSeedMode{slot.seed, graph::SeedMode::kFolded}, reason));
    store_->remove_control(alpha_of(slot.seed));
    return move(slot, SeedState::kFossilized, step, epoch);
}

Status KasminaLayer::take_out(SeedSlot& slot, const std::string& reason) {
    ESPER_CHECK_STATUS(edit(graph::RemoveSeed{slot.seed}, reason));
    store_->remove(block_of(slot.seed), block_of(slot.seed) + ".");
    store_->remove_control(alpha_of(slot.seed));
    slot.seed.clear();
    return {};
}

Status KasminaLayer::cull(std::uint32_t index, std::uint32_t embargo_epochs, std::int64_t step,
                          std::uint32_t epoch, const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kCulled, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(take_out(slot, reason));
    return move(slot, SeedState::kCulled, step, epoch, embargo_epochs);
}

Status KasminaLayer::cancel(std::uint32_t index, std::int64_t step, std::uint32_t epoch,
                            const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kCancelled, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(take_out(slot, reason));
    return move(slot, SeedState::kCancelled, step, epoch);
}

Status KasminaLayer::wake(std::uint32_t index, std::int64_t step, std::uint32_t epoch) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(move(slot, SeedState::kDormant, step, epoch));
    slot.blueprint.clear();
    return {};
}

Status KasminaLayer::fault(std::uint32_t index, std::uint32_t embargo_epochs, std::int64_t step,
                           std::uint32_t epoch, const std::string& reason) {
    auto& slot = slots_.at(index);
    if (can_fault(table_->state(index)))
        ESPER_CHECK_STATUS(move(slot, SeedState::kErrorRecovery, step, epoch));
    return cull(index, embargo_epochs, step, epoch, reason);
}

Status KasminaLayer::roll_back(std::uint32_t index, std::int64_t step, std::uint32_t epoch,
                               const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kRolledBack, ComponentType::kTolaria));
    if (!slot.seed.empty()) ESPER_CHECK_STATUS(take_out(slot, reason));
    return move(slot, SeedState::kRolledBack, step, epoch);
}

Status KasminaLayer::set_alpha(std::uint32_t index, double alpha) {
    return store_->set_control(alpha_of(slots_.at(index).seed), alpha);
}

Status KasminaLayer::tick(double loss) {
    for (auto& slot : slots_) {
        if (table_->state(slot.index) != SeedState::kGrafting) continue;
        slot.ramp.tick(loss);
        ESPER_CHECK_STATUS(set_alpha(slot.index, slot.ramp.alpha()));
        ESPER_CHECK_STATUS(table_->set_alpha(slot.index, static_cast<float>(slot.ramp.alpha())));
    }
    return {};
}

std::optional<SeedTreatment> KasminaLayer::treatment(const std::string& block) const {
    for (const auto& slot : slots_) {
        if (slot.seed.empty() || block_of(slot.seed) != block) continue;
        const auto s = table_->state(slot.index);
        SeedTreatment t;
        t.isolated = s == SeedState::kTraining;
        t.frozen = s == SeedState::kStabilization || s == SeedState::kEvaluating;
        t.ramping = s == SeedState::kGrafting;
        t.fossilized = s == SeedState::kFossilized;
        return t;
    }
    return std::nullopt;
}

nlohmann::json KasminaLayer::to_json() const {
    nlohmann::json slots = nlohmann::json::array();
    for (const auto& slot : slots_) {
        const auto ramp = slot.ramp.state();
        slots.push_back({{"anchor", slot.anchor},
                         {"seed", slot.seed},
                         {"blueprint", slot.blueprint},
                         {"entered_step", slot.entered_step},
                         {"state", contracts::to_text(table_->state(slot.index))},
                         {"strategy", contracts::to_text(slot.ramp.strategy())},
                         {"ramp", {ramp.steps, ramp.done, ramp.seen}},
                         {"ramp_loss", {ramp.mean, ramp.variance}}});
    }
    // Versions tell readers of this process that a row has changed, latencies come off the clock: a
    // run that was resumed has others, and is the same run.
    auto snapshot = table_->snapshot();
    std::fill(snapshot.version.begin(), snapshot.version.end(), 0U);
    std::fill(snapshot.latency_us.begin(), snapshot.latency_us.end(), 0U);
    const auto table = serialise(snapshot);
    return {{"germinated", germinated_},
            {"slots", slots},
            {"table", std::vector<std::uint8_t>(table.begin(), table.end())}};
}

Status KasminaLayer::restore(const nlohmann::json& json, graph::ProgramPtr program) {
    const auto bytes = json.at("table").get<std::vector<std::uint8_t>>();
    ESPER_TRY(auto snapshot,
              parse_snapshot({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    ESPER_CHECK_STATUS(table_->restore(snapshot));
    germinated_ = json.at("germinated");
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const auto& saved = json.at("slots").at(i);
        auto& slot = slots_[i];
        slot.seed = saved.at("seed");
        slot.blueprint = saved.at("blueprint");
        slot.entered_step = saved.at("entered_step");
        const auto& r = saved.at("ramp");
        const auto& loss = saved.at("ramp_loss");
        slot.ramp.restore(contracts::from_text<contracts::GraftingStrategy>(
                              saved.at("strategy").get<std::string>())
                              .value_or(contracts::GraftingStrategy::kSmoothstep),
                          {r[0], r[1], r[2], loss[0], loss[1]});
    }
    program_ = std::move(program);
    return {};
}

}  // namespace esper::execution
