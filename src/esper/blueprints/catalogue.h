#pragma once
// blueprints: the small networks that a seed can become, each a Program made for one anchor.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/error.h"
#include "esper/program/program.h"

namespace esper::blueprints {

#define ESPER_BLUEPRINT_ERRORS(X)                                                          \
    X(kUnknownBlueprint, kUsage) /* no blueprint of that name */                           \
    X(kWrongKind, kUsage)        /* the blueprint does not fit what flows at the anchor */ \
    X(kBadAnchor, kData)         /* the anchor's type contradicts its kind or features */  \
    X(kBadChunk, kUsage)         /* a chunk outside the anchor's features */
ESPER_DEFINE_ERRORS(BlueprintError, "blueprints", ESPER_BLUEPRINT_ERRORS)

/// A branch s made for one anchor: a Program from `x` to `y`, both of the anchor's type. Its last
/// layer is linear, so that a readout can be fitted in closed form from what it reads.
struct Blueprint {
    std::string name;
    graph::ProgramPtr program;
    /// The last layer's parameters: weight [c, h] or [c, h, 1, 1], bias [c] ("" where there is
    /// none); c is the anchor's features, or the chunk's. Empty for shams without parameters.
    std::string readout_weight;
    std::string readout_bias;
    /// H, what the last layer reads: [N, h, H, W], [N, h] or [N, T, h].
    std::optional<graph::ValueId> readout_input;
    /// The features of the anchor that the branch reads and writes; the others get zero.
    std::int64_t first_feature = 0;
    std::int64_t features = 0;
    /// False: nothing to train, the seed goes from LOADING straight to GRAFTING.
    bool has_parameters = false;
    /// Cannot help, by construction; a control for the gates.
    bool sham = false;
};

/// Which part of the anchor's features a branch is for; all of them by default.
struct Chunk {
    std::int64_t begin = 0;
    std::int64_t end = -1;
};

/// Makes a blueprint for an anchor whose value has type `type` (free sizes allowed, but images need
/// their height and width). Errors: kUnknownBlueprint, kWrongKind, kBadAnchor, kBadChunk.
Result<Blueprint> make_blueprint(std::string_view name, const graph::Anchor& anchor,
                                 const graph::TensorType& type, Chunk chunk = {});

/// Names that fit a kind of anchor, in the catalogue's order.
std::vector<std::string> blueprint_names(graph::AnchorKind kind, bool with_shams = false);

struct Branch;
/// Writes the branch's calls and returns s(x).
using BranchMaker = graph::ValueId (*)(Branch&);

struct CatalogueEntry {
    std::string name;
    std::vector<graph::AnchorKind> kinds;
    BranchMaker maker = nullptr;
    bool sham = false;
};
/// Adds a blueprint, or replaces the one of that name. Thread-safe.
void register_blueprint(CatalogueEntry entry);

}  // namespace esper::blueprints
