#pragma once

#include <string>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

/// What became of a run's seeds so far, but for those that germinated (KasminaLayer::germinated).
struct SeedEnds {
    int fossilized = 0, culled = 0, cancelled = 0, rolled_back = 0;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("fossilized", self.fossilized);
        visit("culled", self.culled);
        visit("cancelled", self.cancelled);
        visit("rolled_back", self.rolled_back);
    }
};

/// What the seed in a slot adds, relative to the network without it.
struct SavedSeed {
    std::uint32_t slot = 0;
    double flops = 0, parameters = 0;
    bool sham = false;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("slot", self.slot);
        visit("flops", self.flops);
        visit("parameters", self.parameters);
        visit("sham", self.sham);
    }
};

/// A blueprint that is not tried again at a slot.
struct Exclusion {
    std::uint32_t slot = 0;
    std::string blueprint;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("slot", self.slot);
        visit("blueprint", self.blueprint);
    }
};

/// What is saved of SeedLives.
struct SavedLives {
    saved::Json kasmina;     ///< execution::SavedKasmina
    saved::Json controller;  ///< tamiyo::Controller
    std::vector<SavedSeed> seeds;
    SeedEnds ends;
    std::vector<Exclusion> excluded;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("kasmina", self.kasmina);
        visit("controller", self.controller);
        visit("seeds", self.seeds);
        visit("ends", self.ends);
        visit("excluded", self.excluded);
    }
};

/// A growth's saved state, brought to the present version. In version 1 counts, seeds, health and
/// faults were lists, and lives, health and faults lay in one object.
/// Errors: kBadCheckpoint for a version of the future.
Result<saved::Json> upgrade_growth(saved::Json growth);
inline constexpr std::int64_t kGrowthVersion = 2;

/// Errors: kBadCheckpoint, naming what is missing or of another type.
template <typename T>
Result<T> read_growth_state(const saved::Json& json, const std::string& path) {
    T state;
    if (const auto problem = saved::read(json, state, path); !problem.empty())
        return fail(TolariaError::kBadCheckpoint, "the checkpoint cannot be read: " + problem);
    return state;
}

}  // namespace esper::tolaria
