#pragma once
// A second, plain implementation of the state table's rules, to compare the real table with.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "esper/base/random.h"
#include "esper/execution/states/state_layout.h"

namespace esper::testing {

using contracts::ComponentType;
using contracts::SeedState;

/// The table of moves from docs/growth.md, written by hand.
inline const std::map<SeedState, std::vector<SeedState>>& growth_page() {
    using enum SeedState;
    static const std::map<SeedState, std::vector<SeedState>> page = {
        {kDormant, {kGerminated}},
        {kGerminated, {kLoading, kCancelled}},
        {kLoading, {kTraining, kGrafting, kCulled}},
        {kTraining, {kGrafting, kCulled, kCancelled}},
        {kGrafting, {kStabilization, kCulled, kErrorRecovery}},
        {kStabilization, {kEvaluating, kCulled, kErrorRecovery}},
        {kEvaluating, {kFineTuning, kFossilized, kCulled, kErrorRecovery}},
        {kFineTuning, {kFossilized, kCulled, kErrorRecovery}},
        {kFossilized, {kErrorRecovery}},
        {kCulled, {kDormant}},
        {kCancelled, {kDormant}},
        {kRolledBack, {}},
        {kErrorRecovery, {kCulled}},
    };
    return page;
}

inline bool model_legal(SeedState from, SeedState to, ComponentType actor) {
    using enum SeedState;
    if (to == kRolledBack) {
        return actor == ComponentType::kTolaria && from != kFossilized && from != kRolledBack;
    }
    bool listed = false;
    for (SeedState s : growth_page().at(from)) listed |= s == to;
    if (!listed) return false;
    if (to == kErrorRecovery) return actor == ComponentType::kKasmina;
    if (actor == ComponentType::kTamiyo) return true;
    return actor == ComponentType::kKasmina &&
           (from == kLoading || from == kCulled || from == kCancelled || from == kErrorRecovery);
}

/// One seed of the model.
struct ModelSeed {
    SeedState state = SeedState::kDormant;
    std::uint64_t kernel = 0;
    float alpha = 0;
    int errors = 0;
    std::uint32_t embargo = 0;
    std::uint32_t moves = 0;

    bool move(SeedState to, ComponentType actor, std::uint32_t epoch, std::uint64_t kernel_id,
              std::uint32_t embargo_epochs) {
        using enum SeedState;
        if (!model_legal(state, to, actor)) return false;
        if (to == kGerminated && kernel_id == 0) return false;
        if (state == kCulled && to == kDormant && epoch < embargo) return false;
        if (to == kGerminated) kernel = kernel_id, errors = 0;
        if (to == kGerminated || to == kCulled || to == kCancelled || to == kRolledBack ||
            to == kDormant) {
            alpha = 0;
        }
        if (to == kDormant) kernel = 0;
        if (to == kFossilized) alpha = 1;
        if (to == kCulled) embargo = epoch + embargo_epochs;
        state = to;
        ++moves;
        return true;
    }
    void error() {
        using enum SeedState;
        ++errors;
        const bool can = state == kGrafting || state == kStabilization || state == kEvaluating ||
                         state == kFineTuning || state == kFossilized;
        if (errors >= 3 && can) state = kErrorRecovery, ++moves;
    }
};

/// Random operations on a real table and the model; "" when both agree to the end.
inline std::string walk_against_model(std::uint64_t operations, std::uint64_t seed,
                                      std::uint32_t seeds = 16) {
    execution::StateTable table(seeds);
    std::vector<ModelSeed> model(seeds);
    RandomStream random(seed, "state model");
    auto differs = [&](std::uint32_t s) -> std::string {
        const execution::SeedRecord r = *table.read(s);
        const ModelSeed& m = model[s];
        const bool same = r.state == m.state && r.kernel_id == m.kernel && r.alpha == m.alpha &&
                          r.error_count == m.errors && r.transitions == m.moves &&
                          (r.state != SeedState::kCulled || r.embargo_until == m.embargo);
        return same ? "" : "seed " + std::to_string(s) + " differs from the model";
    };
    for (std::uint64_t i = 0; i < operations; ++i) {
        const std::uint64_t r = random.next_u64();
        const auto s = static_cast<std::uint32_t>(r % seeds);
        const auto epoch = static_cast<std::uint32_t>(i / 64);
        const auto what = (r >> 8) % 100;
        if (what < 88) {
            // Mostly legal moves, so that seeds reach all states; the rest is any move.
            auto to = static_cast<SeedState>((r >> 16) % 13);
            const auto& listed = growth_page().at(model[s].state);
            if (what < 70 && !listed.empty()) to = listed[(r >> 16) % listed.size()];
            const auto actor = static_cast<ComponentType>((r >> 24) % 16 == 0 ? (r >> 28) % 11 : 2);
            const std::uint64_t kernel = (r >> 32) % 8;
            const auto embargo = static_cast<std::uint32_t>((r >> 40) % 4);
            const bool want = model[s].move(to, actor, epoch, kernel, embargo);
            const auto got = table.transition({.seed = s,
                                               .to = to,
                                               .actor = actor,
                                               .epoch = epoch,
                                               .kernel_id = kernel,
                                               .embargo_epochs = embargo});
            if (got.has_value() != want)
                return "a move was judged differently at " + std::to_string(i);
        } else if (what < 96) {
            if (model[s].errors < 60000) {
                model[s].error();
                (void)table.record_error(s, epoch);
            }
        } else {
            const float alpha = static_cast<float>((r >> 16) % 101) / 100.0f;
            if (table.set_alpha(s, alpha)) model[s].alpha = alpha;
        }
        // Seeds in a terminal state cannot move, so start their slots again.
        if (model[s].state == SeedState::kRolledBack || (i % 4096) == 4095) {
            execution::StateSnapshot snapshot = table.snapshot();
            snapshot.set_row(s, execution::SeedRecord{});
            if (!table.restore(snapshot)) return "restore refused";
            model[s] = ModelSeed{};
        }
        if (const std::string d = differs(s); !d.empty()) return d + " at " + std::to_string(i);
    }
    for (std::uint32_t s = 0; s < seeds; ++s) {
        if (const std::string d = differs(s); !d.empty()) return d;
    }
    return table.verify() ? "" : "a broken seal";
}

}  // namespace esper::testing
