#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>

#include "esper/program/program.h"

namespace esper::graph {

/// How a seed's branch s is joined to its anchor's value y.
enum class SeedMode : std::uint8_t {
    /// y with the same bits; s reads detach(y) and receives the gradient of y
    /// (`esper::straight_through`). The host's results do not change.
    kIsolated = 0,
    /// y + α·s(y), where α is the control `alpha.<seed>` (`aten::addcmul`).
    kBlended = 1,
    /// y + s(y): α folded away.
    kFolded = 2,
};
std::string_view seed_mode_name(SeedMode mode);
std::optional<SeedMode> seed_mode_from_name(std::string_view name);

/// Inserts a blueprint (a Program with input `x` and output `y` of the anchor's type) at an anchor,
/// in mode kIsolated. Its parameters, buffers and controls get the names `seed.<seed>.<name>`; its
/// anchors are dropped. All instructions that read the anchor's value, and the anchor itself, then
/// read the new sum, so a second seed can be inserted after the first. Seed names consist of
/// letters, digits, `_`, `-` and `/`.
struct InsertSeed {
    std::string seed;
    std::string anchor;
    std::string blueprint_name;
    ProgramPtr blueprint;
};
struct SetSeedMode {
    std::string seed;
    SeedMode mode = SeedMode::kIsolated;
};
/// Removes the seed. The Program is then, byte for byte, as before InsertSeed.
struct RemoveSeed {
    std::string seed;
};
/// Replaces the operator of one instruction by another with the same arguments and results (e.g. a
/// compiled kernel registered as an operator). Joins and detaches of seeds cannot be replaced.
struct ReplaceOperator {
    std::size_t instruction = 0;
    std::string expected_op;
    std::string new_op;
};
/// Puts a copy of a block (blocks.h) before it, so that the block reads the copy's result. The
/// copy's parameters, buffers, scopes and anchors have the block's names with `copy` in place of
/// `block`. Seeds stay where they are. What becomes of the values says split_block.h.
struct SplitBlock {
    std::string block;
    std::string copy;  ///< name_for_copy()
};

using Edit = std::variant<InsertSeed, SetSeedMode, RemoveSeed, ReplaceOperator, SplitBlock>;

/// Applies an edit. The remaining values keep their order. Errors: kUnknownName (anchor or seed),
/// kIllegalEdit (also when a later instruction writes into the anchor's value), kShapeMismatch,
/// kForbiddenOperator, and those of validate_operators and split_tensors.
Result<ProgramPtr> apply(const Program& program, const Edit& edit);

/// A seed of a Program with its mode and anchor. Lists of seeds have the order of the instructions,
/// so of several seeds at one anchor the first inserted comes first.
struct SeedInProgram {
    std::string seed;
    std::string anchor;
    SeedMode mode;
};
std::vector<SeedInProgram> seeds_in(const Program& program);

/// An edit as JSON; a blueprint is included in its text form. Errors of reading: kMalformed, and
/// those of from_text.
nlohmann::json to_json(const Edit& edit);
Result<Edit> edit_from_json(const nlohmann::json& json);

}  // namespace esper::graph
