#pragma once
// blueprints: the small networks that a seed can become. Each is a Program made for one anchor.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/error.h"
#include "esper/program/program.h"

namespace esper::blueprints {

#define ESPER_BLUEPRINT_ERRORS(X)                                                         \
    X(kUnknownBlueprint, kUsage) /* no blueprint of that name */                          \
    X(kWrongKind, kUsage)        /* the blueprint does not fit the anchor's kind */       \
    X(kBadAnchor, kData)         /* the anchor's type contradicts its kind or features */ \
    X(kBadChunk, kUsage)         /* a chunk outside the anchor's features */
ESPER_DEFINE_ERRORS(BlueprintError, "blueprints", ESPER_BLUEPRINT_ERRORS)

/// A branch s made for one anchor: a Program from `x` to `y`, both of the anchor's type. Its last
/// layer is linear, so that its weights (the readout) can be fitted in closed form.
struct Blueprint {
    std::string name;
    graph::ProgramPtr program;
    /// Names of the last layer's parameters: weight [c, h] or [c, h, 1, 1], bias [c] ("" without
    /// one); c is the anchor's features, or the chunk's. Both are "" for shams without parameters.
    std::string readout_weight;
    std::string readout_bias;
    /// The input of the last layer: [N, h, H, W], [N, h] or [N, T, h].
    std::optional<graph::ValueId> readout_input;
    /// The features of the anchor that the branch reads and writes; it adds zero to the others.
    std::int64_t first_feature = 0;
    std::int64_t features = 0;
    /// If false there is nothing to train: the seed moves from LOADING directly to GRAFTING.
    bool has_parameters = false;
    /// Cannot help, by construction. Shams test the gates: a gate must not keep them.
    bool sham = false;
};

/// The part of the anchor's features that a branch reads and writes; by default all.
struct Chunk {
    std::int64_t begin = 0;
    std::int64_t end = -1;
};

/// Makes a blueprint for an anchor whose value has type `type`. Sizes may be free, except height
/// and width of images. Errors: kUnknownBlueprint, kWrongKind, kBadAnchor, kBadChunk.
Result<Blueprint> make_blueprint(std::string_view name, const graph::Anchor& anchor,
                                 const graph::TensorType& type, Chunk chunk = {});

/// Names of the blueprints for a kind of anchor, in the catalogue's order.
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
/// Adds a blueprint, or replaces the one with that name. Thread-safe.
void register_blueprint(CatalogueEntry entry);

}  // namespace esper::blueprints
