#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "esper/graph/program.h"

namespace esper::graph {

/// How a seed's branch s hangs at its anchor's output y.
enum class SeedMode : std::uint8_t {
    /// y passes unchanged, bit for bit; s reads detach(y) and receives the gradient of y
    /// (`esper::straight_through`). The host cannot notice it.
    kIsolated = 0,
    /// y + α·s(y), α a control named `alpha.<seed>` (`aten::addcmul`).
    kBlended = 1,
    /// y + s(y): α folded away.
    kFolded = 2,
};
std::string_view seed_mode_name(SeedMode mode);

/// Puts a blueprint (a Program with input `x` and output `y` of the anchor's type) at an anchor.
/// Its parameters become `seed.<seed>.<name>`. The anchor then names the new sum, so that a second
/// seed may sit on top of the first.
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
/// Takes the seed out: the Program is byte for byte what it was before it came.
struct RemoveSeed {
    std::string seed;
};
/// Replaces the operator of the instruction that defines `scope`'s n-th call by another with the
/// same arguments and results (e.g. a compiled kernel registered as an operator).
struct ReplaceOperator {
    std::size_t instruction = 0;
    std::string expected_op;
    std::string new_op;
};

using Edit = std::variant<InsertSeed, SetSeedMode, RemoveSeed, ReplaceOperator>;

/// The edited Program. Errors: kUnknownName, kIllegalEdit, kShapeMismatch, kForbiddenOperator.
Result<ProgramPtr> apply(const Program& program, const Edit& edit);

/// The names of the seeds in a Program, in order of insertion, with their modes and anchors.
struct SeedInProgram {
    std::string seed;
    std::string anchor;
    SeedMode mode;
};
std::vector<SeedInProgram> seeds_in(const Program& program);

nlohmann::json to_json(const Edit& edit);
Result<Edit> edit_from_json(const nlohmann::json& json);

}  // namespace esper::graph
