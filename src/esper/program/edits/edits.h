#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>

#include "esper/program/program.h"

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
std::optional<SeedMode> seed_mode_from_name(std::string_view name);

/// Puts a blueprint (a Program with input `x` and output `y` of the anchor's type) at an anchor,
/// kIsolated. Its parameters, buffers and controls become `seed.<seed>.<name>`; its anchors are not
/// taken over. Everything that read the anchor's value then reads the new sum, and so does the
/// anchor, so that a second seed may sit on top of the first. Seed names consist of letters,
/// digits, `_`, `-` and `/`.
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
/// Replaces the operator of one instruction by another with the same arguments and results (e.g. a
/// compiled kernel registered as an operator). Joins and detaches of seeds stay as they are.
struct ReplaceOperator {
    std::size_t instruction = 0;
    std::string expected_op;
    std::string new_op;
};

using Edit = std::variant<InsertSeed, SetSeedMode, RemoveSeed, ReplaceOperator>;

/// The edited Program; values that stay keep their order. Errors: kUnknownName (anchor or seed),
/// kIllegalEdit (also where an instruction writes into the anchor's value later on),
/// kShapeMismatch, kForbiddenOperator, and what validate_operators reports.
Result<ProgramPtr> apply(const Program& program, const Edit& edit);

/// The seeds in a Program, in the order of its instructions (of several at one anchor, the lowest
/// first), with their modes and anchors.
struct SeedInProgram {
    std::string seed;
    std::string anchor;
    SeedMode mode;
};
std::vector<SeedInProgram> seeds_in(const Program& program);

/// A blueprint goes along as its text form. Errors of reading: kMalformed, and what from_text
/// reports.
nlohmann::json to_json(const Edit& edit);
Result<Edit> edit_from_json(const nlohmann::json& json);

}  // namespace esper::graph
