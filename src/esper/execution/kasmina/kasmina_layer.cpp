#include "esper/execution/kasmina/kasmina_layer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/execution/kasmina/saved_kasmina.h"
#include "esper/program/edits/seed_names.h"

namespace esper::execution {

namespace {

// A host's own tensors may lie elsewhere: only the seed's are looked at.
Status add_seed(graph::TensorStore& store, const graph::Program& program, const std::string& seed) {
    return store.add(program, graph::seed_scope(seed), graph::seed_prefix(seed));
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

Status KasminaLayer::move(SeedSlot& slot, SeedState to, Moment now, std::uint32_t embargo) {
    const auto from = table_->state(slot.index);
    Transition transition;
    transition.seed = slot.index;
    transition.to = to;
    transition.actor = actor_for(from, to);
    transition.epoch = now.epoch;
    transition.kernel_id = slot.kernel_id;
    transition.embargo_epochs = embargo;
    ESPER_TRY(auto left, table_->transition(transition));
    (void)left;
    slot.entered_step = now.step;
    return moved_ ? moved_(slot, from, now) : Status{};
}

Status KasminaLayer::edit(const graph::Edit& change, const std::string& reason) {
    ESPER_TRY(auto after, graph::apply(*program_, change));
    if (edited_) ESPER_CHECK_STATUS(edited_(change, *after, reason));
    become(std::move(after));
    return {};
}

void KasminaLayer::become(graph::ProgramPtr program) {
    program_ = std::move(program);
    if (changed_) changed_(program_);
}

Status KasminaLayer::germinate(std::uint32_t index, const std::string& blueprint_name,
                               const graph::ProgramPtr& blueprint, bool has_parameters, Moment now,
                               const std::string& reason) {
    auto& slot = slots_.at(index);
    const auto seed = next_seed();
    const auto old = slot;
    slot.seed = seed;
    slot.blueprint = blueprint_name;
    slot.kernel_id = blueprint->hash().prefix64();
    if (auto ok = move(slot, SeedState::kGerminated, now); !ok) {
        slot = old;
        return ok;
    }
    ++germinated_;
    ESPER_CHECK_STATUS(move(slot, SeedState::kLoading, now));
    auto loaded = edit(graph::InsertSeed{seed, slot.anchor, blueprint_name, blueprint}, reason);
    if (loaded) loaded = add_seed(*store_, *program_, seed);
    if (!loaded) {
        ESPER_CHECK_STATUS(leave(slot, SeedState::kCulled, now));
        return loaded;
    }
    if (has_parameters) return move(slot, SeedState::kTraining, now);
    ESPER_CHECK_STATUS(edit(graph::SetSeedMode{seed, graph::SeedMode::kBlended}, reason));
    ESPER_CHECK_STATUS(add_seed(*store_, *program_, seed));
    return move(slot, SeedState::kGrafting, now);
}

Status KasminaLayer::graft(std::uint32_t index, contracts::GraftingStrategy strategy,
                           std::int64_t ramp_steps, Moment now, const std::string& reason) {
    auto& slot = slots_.at(index);
    if (table_->state(index) != SeedState::kGrafting) {
        ESPER_CHECK_STATUS(
            check_transition(table_->state(index), SeedState::kGrafting, ComponentType::kTamiyo));
        ESPER_CHECK_STATUS(edit(graph::SetSeedMode{slot.seed, graph::SeedMode::kBlended}, reason));
        ESPER_CHECK_STATUS(add_seed(*store_, *program_, slot.seed));
        ESPER_CHECK_STATUS(move(slot, SeedState::kGrafting, now));
    }
    slot.ramp = RampClock(strategy, ramp_steps);
    return set_alpha(index, slot.ramp.alpha());
}

Status KasminaLayer::advance(std::uint32_t index, SeedState to, Moment now) {
    return move(slots_.at(index), to, now);
}

Status KasminaLayer::fossilize(std::uint32_t index, Moment now, const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kFossilized, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(edit(graph::SetSeedMode{slot.seed, graph::SeedMode::kFolded}, reason));
    store_->remove_control(graph::seed_control(slot.seed));
    return move(slot, SeedState::kFossilized, now);
}

Status KasminaLayer::take_out(SeedSlot& slot, const std::string& reason) {
    ESPER_CHECK_STATUS(edit(graph::RemoveSeed{slot.seed}, reason));
    store_->remove(graph::seed_scope(slot.seed), graph::seed_prefix(slot.seed));
    store_->remove_control(graph::seed_control(slot.seed));
    return {};
}

// The listener hears of the move while the slot still has the seed's name.
Status KasminaLayer::leave(SeedSlot& slot, SeedState to, Moment now, std::uint32_t embargo) {
    auto moved = move(slot, to, now, embargo);
    slot.seed.clear();
    return moved;
}

Status KasminaLayer::cull(std::uint32_t index, std::uint32_t embargo_epochs, Moment now,
                          const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kCulled, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(take_out(slot, reason));
    return leave(slot, SeedState::kCulled, now, embargo_epochs);
}

Status KasminaLayer::cancel(std::uint32_t index, Moment now, const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kCancelled, ComponentType::kTamiyo));
    ESPER_CHECK_STATUS(take_out(slot, reason));
    return leave(slot, SeedState::kCancelled, now);
}

Status KasminaLayer::wake(std::uint32_t index, Moment now) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(move(slot, SeedState::kDormant, now));
    slot.blueprint.clear();
    slot.kernel_id = 0;
    return {};
}

Status KasminaLayer::fault(std::uint32_t index, std::uint32_t embargo_epochs, Moment now,
                           const std::string& reason) {
    auto& slot = slots_.at(index);
    if (can_fault(table_->state(index)))
        ESPER_CHECK_STATUS(move(slot, SeedState::kErrorRecovery, now));
    return cull(index, embargo_epochs, now, reason);
}

Status KasminaLayer::roll_back(std::uint32_t index, Moment now, const std::string& reason) {
    auto& slot = slots_.at(index);
    ESPER_CHECK_STATUS(
        check_transition(table_->state(index), SeedState::kRolledBack, ComponentType::kTolaria));
    if (!slot.seed.empty()) ESPER_CHECK_STATUS(take_out(slot, reason));
    return leave(slot, SeedState::kRolledBack, now);
}

Status KasminaLayer::split(const graph::SplitBlock& split, const std::string& reason) {
    return edit(split, reason);
}

Status KasminaLayer::add_slots(const std::vector<std::string>& anchors) {
    if (anchors.empty()) return {};
    auto rows = table_->snapshot();
    rows.resize(slots_.size() + anchors.size());
    auto table = std::make_unique<StateTable>(static_cast<std::uint32_t>(rows.size()));
    ESPER_CHECK_STATUS(table->restore(rows));
    table_ = std::move(table);
    for (const auto& anchor : anchors) {
        SeedSlot slot;
        slot.index = static_cast<std::uint32_t>(slots_.size());
        slot.anchor = anchor;
        slots_.push_back(std::move(slot));
    }
    return {};
}

Status KasminaLayer::set_alpha(std::uint32_t index, double alpha) {
    return store_->set_control(graph::seed_control(slots_.at(index).seed), alpha);
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

const SeedSlot* KasminaLayer::slot_of(const std::string& seed) const {
    const auto found = std::ranges::find(slots_, seed, &SeedSlot::seed);
    return found == slots_.end() ? nullptr : &*found;
}

Status KasminaLayer::note_kernel_use(const std::string& seed, double mean_us, Moment now) {
    const auto* slot = slot_of(seed);
    if (slot == nullptr) return {};  // it was taken out since
    return table_->record(slot->index, 1.0F, static_cast<std::uint64_t>(std::lround(mean_us)),
                          now.epoch);
}

Status KasminaLayer::note_kernel_error(const std::string& seed, Moment now) {
    const auto* slot = slot_of(seed);
    if (slot == nullptr) return {};
    ESPER_CHECK_STATUS(table_->record(slot->index, 0.0F, 0, now.epoch));
    ESPER_CHECK_STATUS(table_->record_error(slot->index, now.epoch));
    return {};
}

std::optional<SeedTreatment> KasminaLayer::treatment(const std::string& block) const {
    for (const auto& slot : slots_) {
        if (slot.seed.empty() || graph::seed_scope(slot.seed) != block) continue;
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
    SavedKasmina state;
    state.germinated = germinated_;
    for (const auto& slot : slots_) {
        const auto ramp = slot.ramp.state();
        SavedSlot s;
        s.anchor = slot.anchor;
        s.seed = slot.seed;
        s.blueprint = slot.blueprint;
        s.entered_step = slot.entered_step;
        s.state = contracts::to_text(table_->state(slot.index));
        s.strategy = contracts::to_text(slot.ramp.strategy());
        s.ramp = {ramp.steps, ramp.done, ramp.seen, ramp.mean, ramp.variance};
        state.slots.push_back(std::move(s));
    }
    // Versions tell readers of this process that a row has changed, and times are those of this
    // process: a run that was resumed has others, and is the same run.
    auto snapshot = table_->snapshot();
    std::fill(snapshot.version.begin(), snapshot.version.end(), 0U);
    std::fill(snapshot.latency_us.begin(), snapshot.latency_us.end(), 0U);
    const auto table = serialise(snapshot);
    state.table.assign(table.begin(), table.end());
    return saved::write(state);
}

Status KasminaLayer::restore(const nlohmann::json& json, graph::ProgramPtr program) {
    ESPER_TRY(const auto state, read_saved_kasmina(json));
    if (state.slots.size() != slots_.size())
        return fail(StateError::kSizeMismatch,
                    "the saved state has " + std::to_string(state.slots.size()) +
                        " places for seeds, this network has " + std::to_string(slots_.size()));
    ESPER_TRY(
        const auto snapshot,
        parse_snapshot({reinterpret_cast<const char*>(state.table.data()), state.table.size()}));
    ESPER_CHECK_STATUS(table_->restore(snapshot));
    germinated_ = state.germinated;
    for (auto& slot : slots_) {
        const auto& s = state.slots[slot.index];
        slot.seed = s.seed;
        slot.blueprint = s.blueprint;
        slot.kernel_id = snapshot.kernel_id[slot.index];
        slot.entered_step = s.entered_step;
        slot.ramp.restore(contracts::from_text<contracts::GraftingStrategy>(s.strategy)
                              .value_or(contracts::GraftingStrategy::kSmoothstep),
                          {s.ramp.steps, s.ramp.done, s.ramp.seen, s.ramp.mean, s.ramp.variance});
    }
    become(std::move(program));
    return {};
}

}  // namespace esper::execution
