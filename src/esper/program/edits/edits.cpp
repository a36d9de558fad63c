#include "esper/program/edits/edits.h"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

#include "esper/base/text.h"
#include "esper/program/edits/insert_seed.h"
#include "esper/program/edits/seed_wiring.h"
#include "esper/program/edits/split_block.h"
#include "esper/program/operators.h"

namespace esper::graph {
namespace {

constexpr std::array<std::string_view, 3> kModeNames{"isolated", "blended", "folded"};

tl::unexpected<Error> unknown_seed(const Program& program, std::string_view seed) {
    std::vector<std::string> names;
    for (const SeedBlock& block : find_seed_blocks(program.instructions())) {
        names.push_back(block.seed);
    }
    return fail(GraphError::kUnknownName,
                fmt::format("there is no seed {} in the Program; it has {}",
                            quote_with_suggestion(seed, names), names.size()));
}

void forget_control(Program::Parts& parts, std::string_view seed, std::vector<bool>& gone) {
    for (const Control& item : parts.controls) {
        if (item.name == seed_control(seed)) gone[item.value.value()] = true;
    }
}

Result<ProgramPtr> set_mode(const Program& program, const SetSeedMode& edit) {
    const auto block = find_seed_block(program.instructions(), edit.seed);
    if (!block) return unknown_seed(program, edit.seed);
    if (static_cast<std::size_t>(edit.mode) >= kModeNames.size()) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("seed mode {}, there are {}", static_cast<int>(edit.mode),
                                kModeNames.size()));
    }
    if (block->mode == edit.mode) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("seed '{}' is {} already", edit.seed, seed_mode_name(edit.mode)));
    }
    Program::Parts parts = program.parts();
    std::vector<bool> gone(parts.value_count);
    auto body_begin = block->begin;
    const ValueId y = block->y;
    // The value that the branch reads: detach(y) while isolated, else y.
    ValueId source = y;
    if (block->mode == SeedMode::kIsolated) {
        const Instruction& detach = parts.instructions[block->begin];
        if (detach.op != kDetach || detach.results.size() != 1 || detach.args.size() != 1 ||
            detach.args[0] != Argument{y}) {
            return fail(GraphError::kIllegalEdit,
                        fmt::format("seed '{}' does not start with the detach of its anchor's "
                                    "value; the Program was changed by other means",
                                    edit.seed));
        }
        source = detach.results[0];
        gone[source.value()] = true;
        ++body_begin;
    }
    if (block->mode == SeedMode::kBlended) forget_control(parts, edit.seed, gone);

    ValueId new_source = y;
    if (edit.mode == SeedMode::kIsolated) {
        new_source = ValueId(parts.value_count++);
        gone.push_back(false);
    }
    for (std::size_t i = body_begin; i < block->join; ++i) {
        for (Argument& argument : parts.instructions[i].args) {
            replace_value(argument, source, new_source);
        }
    }
    Argument branch = parts.instructions[block->join].args[1];
    replace_value(branch, source, new_source);
    // The old control is removed before a new one of the same name is added.
    parts.instructions[block->join] =
        make_join(parts, edit.seed, edit.mode, y, std::get<ValueId>(branch), block->sum);
    gone.resize(parts.value_count, false);

    const auto at = parts.instructions.begin() + static_cast<std::ptrdiff_t>(block->begin);
    if (block->mode == SeedMode::kIsolated) {
        parts.instructions.erase(at);
    } else if (edit.mode == SeedMode::kIsolated) {
        parts.instructions.insert(at,
                                  {std::string(kDetach), {y}, {new_source}, seed_scope(edit.seed)});
    }
    drop_values(parts, gone);
    return Program::make(std::move(parts));
}

Result<ProgramPtr> remove_seed(const Program& program, const RemoveSeed& edit) {
    const auto block = find_seed_block(program.instructions(), edit.seed);
    if (!block) return unknown_seed(program, edit.seed);
    Program::Parts parts = program.parts();
    const std::string prefix = seed_scope(edit.seed) + '.';
    std::vector<bool> gone(parts.value_count);
    const auto forget = [&](const auto& items) {
        for (const auto& item : items) {
            if (item.name.starts_with(prefix)) gone[item.value.value()] = true;
        }
    };
    forget(parts.parameters);
    forget(parts.buffers);
    forget(parts.controls);
    forget_control(parts, edit.seed, gone);
    for (std::size_t i = block->begin; i <= block->join; ++i) {
        for (const ValueId id : parts.instructions[i].results) gone[id.value()] = true;
    }
    replace_everywhere(parts, block->join + 1, block->sum, block->y);
    const auto at = parts.instructions.begin();
    parts.instructions.erase(at + static_cast<std::ptrdiff_t>(block->begin),
                             at + static_cast<std::ptrdiff_t>(block->join + 1));
    drop_values(parts, gone);
    return Program::make(std::move(parts));
}

Result<ProgramPtr> replace_operator(const Program& program, const ReplaceOperator& edit) {
    if (edit.instruction >= program.instructions().size()) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("instruction {} of {} cannot be replaced", edit.instruction,
                                program.instructions().size()));
    }
    const Instruction& old = program.instructions()[edit.instruction];
    const auto refuse = [&](std::string_view why) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("instruction {} ({}) cannot become {}: {}", edit.instruction,
                                old.op, edit.new_op, why));
    };
    if (old.op != edit.expected_op) return refuse("expected it to be " + edit.expected_op);
    if (is_in_place(edit.new_op)) return refuse("it would write into its argument");
    for (const SeedBlock& block : find_seed_blocks(program.instructions())) {
        const bool detach = block.mode == SeedMode::kIsolated && edit.instruction == block.begin;
        if (detach || edit.instruction == block.join) {
            return refuse(fmt::format("it ties seed '{}' to its host", block.seed));
        }
    }
    Program::Parts parts = program.parts();
    parts.instructions[edit.instruction].op = edit.new_op;
    ESPER_TRY(ProgramPtr edited, Program::make(std::move(parts)));
    ESPER_CHECK_STATUS(validate_operators(*edited));
    return edited;
}

}  // namespace

std::string_view seed_mode_name(SeedMode mode) {
    const auto index = static_cast<std::size_t>(mode);
    return index < kModeNames.size() ? kModeNames[index] : "?";
}

std::optional<SeedMode> seed_mode_from_name(std::string_view name) {
    for (std::size_t i = 0; i < kModeNames.size(); ++i) {
        if (kModeNames[i] == name) return static_cast<SeedMode>(i);
    }
    return std::nullopt;
}

Result<ProgramPtr> apply(const Program& program, const Edit& edit) {
    if (const auto* insert = std::get_if<InsertSeed>(&edit)) return insert_seed(program, *insert);
    if (const auto* mode = std::get_if<SetSeedMode>(&edit)) return set_mode(program, *mode);
    if (const auto* remove = std::get_if<RemoveSeed>(&edit)) return remove_seed(program, *remove);
    if (const auto* split = std::get_if<SplitBlock>(&edit)) return split_block(program, *split);
    return replace_operator(program, std::get<ReplaceOperator>(edit));
}

std::vector<SeedInProgram> seeds_in(const Program& program) {
    std::vector<SeedInProgram> seeds;
    std::unordered_map<ValueId, std::pair<std::size_t, ValueId>> below;
    for (const SeedBlock& block : find_seed_blocks(program.instructions())) {
        below.emplace(block.sum, std::pair(seeds.size(), block.y));
        seeds.push_back({block.seed, "", block.mode});
    }
    // An anchor's value is the last sum; the seeds before it belong to the same anchor.
    for (const Anchor& anchor : program.anchors()) {
        auto at = below.find(anchor.value);
        while (at != below.end() && seeds[at->second.first].anchor.empty()) {
            seeds[at->second.first].anchor = anchor.name;
            at = below.find(at->second.second);
        }
    }
    return seeds;
}

}  // namespace esper::graph
