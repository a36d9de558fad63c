#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "esper/core/errors.h"
#include "esper/program/program.h"

namespace esper::core {

/// Selects the anchors that get seeds. A pattern is a glob (base/text.h): `layer2.*`, `blocks.?`,
/// `**`. A pattern that starts with `!` excludes anchors. The last pattern that matches decides.
struct WrapOptions {
    std::vector<std::string> anchors{"**"};
    /// Kinds of anchors to take; empty: all.
    std::vector<graph::AnchorKind> kinds{};
    /// Each seed gets an equal share of the anchor's features (a chunk).
    std::uint32_t seeds_per_anchor = 1;
};

/// A place where one seed may live.
struct SeedSlot {
    std::uint32_t index = 0;  ///< dense, in the order of the Program's anchors
    /// The anchor's name with `/` for each dot, since names of seeds have no dots. With several
    /// seeds per anchor `/c<chunk>` follows. Unique.
    std::string name;
    std::uint32_t anchor = 0;  ///< index into program->anchors()
    std::uint32_t chunk = 0;
    std::int64_t first_feature = 0;
    std::int64_t features = 0;
};

/// A Program and the seed slots found in it. Dormant seeds are not instructions, so nothing is
/// added: the Program is the same object that was wrapped.
struct WrappedModel {
    graph::ProgramPtr program;
    std::vector<SeedSlot> slots;
    std::uint32_t anchors = 0;  ///< number of anchors that have seeds

    const graph::Anchor& anchor_of(const SeedSlot& slot) const {
        return program->anchors()[slot.anchor];
    }
    /// `12 anchors, 12 seeds, 77,850 parameters`.
    std::string summary() const;
};

/// Finds the seed slots of a Program. Time and memory are O(anchors) and do not depend on the size
/// of the parameters. Errors: kNoAnchor when nothing is selected (the message lists the anchors);
/// kBadWrap when an anchor has fewer features than seeds.
Result<WrappedModel> wrap(graph::ProgramPtr program, const WrapOptions& options = {});

/// The Program as it was wrapped, the same object.
graph::ProgramPtr unwrap(WrappedModel model);

}  // namespace esper::core
