#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/base/declared_state.h"
#include "esper/execution/states/state_errors.h"

namespace esper::execution {

/// A ramp of α as it is saved (RampClock).
struct SavedRamp {
    std::int64_t steps = 0, done = 0, seen = 0;
    double mean = 0, variance = 0;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("steps", self.steps);
        visit("done", self.done);
        visit("seen", self.seen);
        visit("mean", self.mean);
        visit("variance", self.variance);
    }
};

struct SavedSlot {
    std::string anchor, seed, blueprint, state, strategy;
    std::int64_t entered_step = 0;
    SavedRamp ramp;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("anchor", self.anchor);
        visit("seed", self.seed);
        visit("blueprint", self.blueprint);
        visit("entered_step", self.entered_step);
        visit("state", self.state);  // for readers; the table is what counts
        visit("strategy", self.strategy);
        visit("ramp", self.ramp);
    }
};

/// What is saved of a KasminaLayer beside its Program. In version 1 a ramp was two lists, and the
/// table's kernel ids were hashes of blueprints' names; those of seeds that live stay as they are.
struct SavedKasmina {
    static constexpr std::int64_t kVersion = 2;
    std::int64_t version = kVersion;
    std::uint32_t germinated = 0;
    std::vector<SavedSlot> slots;
    std::vector<std::uint8_t> table;  ///< execution/states/state_snapshot.h

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("version", self.version);
        visit("germinated", self.germinated);
        visit("slots", self.slots);
        visit("table", self.table);
    }
};

/// Errors: kBadSnapshot, naming what is missing or of another type; kUnsupportedVersion.
Result<SavedKasmina> read_saved_kasmina(saved::Json json);

}  // namespace esper::execution
