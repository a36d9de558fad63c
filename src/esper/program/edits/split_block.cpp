#include "esper/program/edits/split_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "esper/base/text.h"
#include "esper/program/edits/seed_wiring.h"

namespace esper::graph {
namespace {

constexpr std::string_view kDropoutMask = "esper::dropout_mask";
constexpr std::size_t kDropoutSite = 2;

Result<Block> block_of(const Program& program, const SplitBlock& edit) {
    ESPER_TRY(auto blocks, find_blocks(program));
    std::vector<std::string> names;
    for (auto& block : blocks) {
        if (block.name != edit.block) {
            names.push_back(block.name);
            continue;
        }
        if (const auto wanted = name_for_copy(program, edit.block); edit.copy != wanted)
            return fail(GraphError::kIllegalEdit,
                        fmt::format("the copy of block '{}' would be called '{}', not '{}'",
                                    edit.block, wanted, edit.copy));
        return std::move(block);
    }
    return fail(GraphError::kUnknownName,
                fmt::format("there is no block {} that can be split; there {}: {}",
                            quote_with_suggestion(edit.block, names),
                            names.empty() ? "is none" : "are", join(names, ", ")));
}

std::string renamed(const std::string& name, const SplitBlock& edit) {
    return edit.copy + name.substr(edit.block.size());
}

std::int64_t next_dropout_site(const Program::Parts& parts) {
    std::int64_t next = 0;
    for (const auto& item : parts.instructions) {
        if (item.op != kDropoutMask || item.args.size() <= kDropoutSite) continue;
        const auto* constant = std::get_if<Constant>(&item.args[kDropoutSite]);
        const auto* site = constant ? std::get_if<std::int64_t>(constant) : nullptr;
        if (site) next = std::max(next, *site + 1);
    }
    return next;
}

/// Copies a block's declarations and instructions under the copy's names.
class Copier {
  public:
    Copier(Program::Parts& parts, const Program& program, const SplitBlock& edit)
        : parts_(parts),
          edit_(edit),
          seeds_(find_seed_blocks(program.instructions())),
          site_(next_dropout_site(parts)) {}

    void declare(const Program& program, const Block& block) {
        for (const auto& name : block.parameters) {
            Parameter item = *program.find_parameter(name);
            item.name = renamed(name, edit_);
            item.value = copy_of(item.value);
            parts_.parameters.push_back(std::move(item));
        }
        for (const auto& name : block.buffers) {
            Buffer item = *program.find_buffer(name);
            item.name = renamed(name, edit_);
            item.value = copy_of(item.value);
            parts_.buffers.push_back(std::move(item));
        }
    }

    std::vector<Instruction> body(const Program& program, const Block& block) {
        std::vector<Instruction> copies;
        for (const std::size_t i : block.instructions) {
            Instruction item = program.instructions()[i];
            for (Argument& argument : item.args) map(argument);
            for (ValueId& id : item.results) id = copy_of(id);
            item.scope = renamed(item.scope, edit_);
            // Masks of one step differ from each other by their site.
            if (item.op == kDropoutMask) item.args[kDropoutSite] = Constant{site_++};
            copies.push_back(std::move(item));
        }
        return copies;
    }

    /// The copy's value for a value of the block; seeds stay with the block, so a seed's sum stands
    /// for the value below it.
    std::optional<ValueId> find(ValueId id) const {
        for (bool again = true; again;) {
            again = false;
            for (const auto& seed : seeds_) {
                if (seed.sum != id) continue;
                id = seed.y;
                again = true;
            }
        }
        const auto known = copies_.find(id);
        return known == copies_.end() ? std::nullopt : std::optional(known->second);
    }

  private:
    ValueId copy_of(ValueId id) { return copies_[id] = ValueId(parts_.value_count++); }
    void map(Argument& argument) const {
        if (auto* one = std::get_if<ValueId>(&argument)) {
            *one = find(*one).value_or(*one);
        } else if (auto* list = std::get_if<ValueList>(&argument)) {
            for (auto& item : *list)
                if (item) item = find(*item).value_or(*item);
        }
    }

    Program::Parts& parts_;
    const SplitBlock& edit_;
    std::vector<SeedBlock> seeds_;
    std::map<ValueId, ValueId> copies_;
    std::int64_t site_;
};

// The copy's anchors stand before the block's.
void add_anchors(Program::Parts& parts, const Block& block, const SplitBlock& edit,
                 const Copier& copier, ValueId copied) {
    std::vector<Anchor> fresh;
    std::optional<std::ptrdiff_t> first;
    for (std::size_t i = 0; i < parts.anchors.size(); ++i) {
        auto& anchor = parts.anchors[i];
        if (!is_under(anchor.name, edit.block)) continue;
        const auto value = copier.find(anchor.value);
        if (!value) continue;
        Anchor copy = anchor;
        copy.name = renamed(anchor.name, edit);
        copy.value = *value;
        if (copy.layer_input)
            copy.layer_input = copier.find(*copy.layer_input).value_or(*copy.layer_input);
        fresh.push_back(std::move(copy));
        if (anchor.layer_input == block.x) anchor.layer_input = copied;
        if (!first) first = static_cast<std::ptrdiff_t>(i);
    }
    parts.anchors.insert(parts.anchors.begin() + first.value_or(0),
                         std::make_move_iterator(fresh.begin()),
                         std::make_move_iterator(fresh.end()));
}

}  // namespace

Result<SplitTensors> split_tensors(const Program& program, const SplitBlock& edit) {
    ESPER_TRY(const auto block, block_of(program, edit));
    SplitTensors tensors;
    for (const auto& name : block.parameters)
        tensors.parameters.emplace_back(name, renamed(name, edit));
    for (const auto& name : block.buffers) tensors.buffers.emplace_back(name, renamed(name, edit));
    tensors.halved = block.output;
    if (!block.weight.empty()) tensors.identity = renamed(block.weight, edit);
    if (!block.bias.empty()) tensors.zeroed.push_back(renamed(block.bias, edit));
    return tensors;
}

Result<ProgramPtr> split_block(const Program& program, const SplitBlock& edit) {
    ESPER_TRY(const auto block, block_of(program, edit));
    Program::Parts parts = program.parts();
    Copier copier(parts, program, edit);
    copier.declare(program, block);
    auto body = copier.body(program, block);
    const ValueId copied = copier.find(block.y).value();
    for (const std::size_t i : block.instructions)
        for (Argument& argument : parts.instructions[i].args)
            replace_value(argument, block.x, copied);
    add_anchors(parts, block, edit, copier, copied);
    const auto at = static_cast<std::ptrdiff_t>(block.instructions.front());
    parts.instructions.insert(parts.instructions.begin() + at,
                              std::make_move_iterator(body.begin()),
                              std::make_move_iterator(body.end()));
    return Program::make(std::move(parts));
}

}  // namespace esper::graph
