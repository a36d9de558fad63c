#pragma once
// How seeds lie in a Program: one run of instructions each, scoped `seed.<id>…`, ending in the join
// (`seed.<id>.join`), whose result stands for the anchor's value from there on.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/edits/edits.h"

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
    ValueId y;              ///< the value at the anchor, below the seed
    ValueId sum;            ///< the join's result
};

/// In the order of the instructions.
std::vector<SeedBlock> find_seed_blocks(std::span<const Instruction> instructions);
std::optional<SeedBlock> find_seed_block(std::span<const Instruction> instructions,
                                         std::string_view seed);

std::string seed_scope(std::string_view seed);    ///< `seed.<id>`
std::string seed_control(std::string_view seed);  ///< `alpha.<id>`

/// Not empty, of letters, digits, `_`, `-` and `/`.
bool is_seed_name(std::string_view seed);

void replace_value(Argument& argument, ValueId from, ValueId to);
/// In outputs, anchors and the instructions from `first` on.
void replace_everywhere(Program::Parts& parts, std::size_t first, ValueId from, ValueId to);

/// The join of y and the branch's result s. In kBlended, declares the control α at 0.
Instruction make_join(Program::Parts& parts, std::string_view seed, SeedMode mode, ValueId y,
                      ValueId s, ValueId sum);

/// Takes out what `gone` names (indexed by value number) and renumbers the rest in order. Whatever
/// still reads a value that is gone is refused by Program::make.
void drop_values(Program::Parts& parts, const std::vector<bool>& gone);

}  // namespace esper::graph
