#include "esper/program/edits/seed_wiring.h"

#include <algorithm>
#include <limits>

namespace esper::graph {
namespace {

constexpr std::string_view kJoinSuffix = ".join";

// `s1` of the scopes `seed.s1` and `seed.s1.conv`.
std::string_view seed_of_scope(std::string_view scope) {
    if (!scope.starts_with(kSeedScopes)) return {};
    scope.remove_prefix(kSeedScopes.size());
    return scope.substr(0, scope.find('.'));
}

std::optional<SeedMode> mode_of_join(const Instruction& item, std::string_view seed) {
    const std::string_view scope = item.scope;
    if (scope.size() != kSeedScopes.size() + seed.size() + kJoinSuffix.size() ||
        !scope.ends_with(kJoinSuffix) || item.results.size() != 1 || item.args.size() < 2 ||
        !std::holds_alternative<ValueId>(item.args[0]) ||
        !std::holds_alternative<ValueId>(item.args[1])) {
        return std::nullopt;
    }
    if (item.op == kIsolatedJoin) return SeedMode::kIsolated;
    if (item.op == kBlendedJoin) return SeedMode::kBlended;
    if (item.op == kFoldedJoin) return SeedMode::kFolded;
    return std::nullopt;
}

void drop_named(auto& items, const std::vector<bool>& gone) {
    std::erase_if(items, [&](const auto& item) { return gone[item.value.value()]; });
}

}  // namespace

std::vector<SeedBlock> find_seed_blocks(std::span<const Instruction> instructions) {
    std::vector<SeedBlock> blocks;
    for (std::size_t i = 0; i < instructions.size();) {
        const std::string_view seed = seed_of_scope(instructions[i].scope);
        std::size_t end = i + 1;
        if (seed.empty()) {
            i = end;
            continue;
        }
        while (end < instructions.size() && seed_of_scope(instructions[end].scope) == seed) ++end;
        const Instruction& join = instructions[end - 1];
        if (const auto mode = mode_of_join(join, seed)) {
            blocks.push_back({std::string(seed), *mode, i, end - 1, std::get<ValueId>(join.args[0]),
                              join.results[0]});
        }
        i = end;
    }
    return blocks;
}

std::optional<SeedBlock> find_seed_block(std::span<const Instruction> instructions,
                                         std::string_view seed) {
    for (auto& block : find_seed_blocks(instructions)) {
        if (block.seed == seed) return std::move(block);
    }
    return std::nullopt;
}

void replace_value(Argument& argument, ValueId from, ValueId to) {
    if (auto* one = std::get_if<ValueId>(&argument)) {
        if (*one == from) *one = to;
    } else if (auto* list = std::get_if<ValueList>(&argument)) {
        for (auto& item : *list) {
            if (item == from) item = to;
        }
    }
}

void replace_everywhere(Program::Parts& parts, std::size_t first, ValueId from, ValueId to) {
    for (std::size_t i = first; i < parts.instructions.size(); ++i) {
        for (Argument& argument : parts.instructions[i].args) replace_value(argument, from, to);
    }
    for (Output& item : parts.outputs) {
        if (item.value == from) item.value = to;
    }
    for (Anchor& item : parts.anchors) {
        if (item.value == from) item.value = to;
        if (item.layer_input == from) item.layer_input = to;
    }
}

Instruction make_join(Program::Parts& parts, std::string_view seed, SeedMode mode, ValueId y,
                      ValueId s, ValueId sum) {
    Instruction join{"", {y, s}, {sum}, seed_scope(seed) + std::string(kJoinSuffix)};
    switch (mode) {
        case SeedMode::kIsolated:
            join.op = kIsolatedJoin;
            break;
        case SeedMode::kBlended: {
            const ValueId alpha(parts.value_count++);
            parts.controls.push_back({seed_control(seed), 0.0, alpha});
            join.op = kBlendedJoin;
            join.args.emplace_back(alpha);
            join.args.emplace_back(std::in_place_type<Constant>, std::int64_t{1});
            break;
        }
        case SeedMode::kFolded:
            join.op = kFoldedJoin;
            join.args.emplace_back(std::in_place_type<Constant>, std::int64_t{1});
            break;
    }
    return join;
}

void drop_values(Program::Parts& parts, const std::vector<bool>& gone) {
    drop_named(parts.inputs, gone);
    drop_named(parts.parameters, gone);
    drop_named(parts.buffers, gone);
    drop_named(parts.controls, gone);

    std::vector<ValueId> renamed(parts.value_count,
                                 ValueId(std::numeric_limits<std::uint32_t>::max()));
    std::uint32_t next = 0;
    for (std::uint32_t id = 0; id < parts.value_count; ++id) {
        if (!gone[id]) renamed[id] = ValueId(next++);
    }
    parts.value_count = next;

    const auto rename = [&](ValueId& id) { id = renamed[id.value()]; };
    for (auto& item : parts.inputs) rename(item.value);
    for (auto& item : parts.parameters) rename(item.value);
    for (auto& item : parts.buffers) rename(item.value);
    for (auto& item : parts.controls) rename(item.value);
    for (auto& item : parts.outputs) rename(item.value);
    for (auto& item : parts.anchors) {
        rename(item.value);
        if (item.layer_input) rename(*item.layer_input);
    }
    for (auto& item : parts.instructions) {
        for (ValueId& id : item.results) rename(id);
        for (Argument& argument : item.args) {
            if (auto* one = std::get_if<ValueId>(&argument)) {
                rename(*one);
            } else if (auto* list = std::get_if<ValueList>(&argument)) {
                for (auto& value : *list) {
                    if (value) rename(*value);
                }
            }
        }
    }
}

}  // namespace esper::graph
