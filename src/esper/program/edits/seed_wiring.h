#pragma once
// The form of seeds in a Program. A seed is a block of consecutive instructions with scopes
// `seed.<id>…`. The last one is the join (`seed.<id>.join`); its result replaces the anchor's
// value.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"

namespace esper::graph {

inline constexpr std::string_view kIsolatedJoin = "esper::straight_through";
inline constexpr std::string_view kBlendedJoin = "aten::addcmul";
inline constexpr std::string_view kFoldedJoin = "aten::add.Tensor";
inline constexpr std::string_view kDetach = "aten::detach";

struct SeedBlock {
    std::string seed;
    SeedMode mode = SeedMode::kIsolated;
    std::size_t begin = 0;  ///< its first instruction
    std::size_t join = 0;   ///< its last instruction
    ValueId y;              ///< the value at the anchor before the seed
    ValueId sum;            ///< the join's result
};

/// The seeds' blocks in the order of the instructions.
std::vector<SeedBlock> find_seed_blocks(std::span<const Instruction> instructions);
std::optional<SeedBlock> find_seed_block(std::span<const Instruction> instructions,
                                         std::string_view seed);

void replace_value(Argument& argument, ValueId from, ValueId to);
/// Replaces `from` by `to` in outputs, anchors and the instructions from `first` on.
void replace_everywhere(Program::Parts& parts, std::size_t first, ValueId from, ValueId to);

/// The join of y and the branch's result s. In kBlended, declares the control α at 0.
Instruction make_join(Program::Parts& parts, std::string_view seed, SeedMode mode, ValueId y,
                      ValueId s, ValueId sum);

/// Removes the values marked in `gone` (indexed by value number) and renumbers the rest in order.
/// Program::make refuses the result if a removed value is still read.
void drop_values(Program::Parts& parts, const std::vector<bool>& gone);

}  // namespace esper::graph
