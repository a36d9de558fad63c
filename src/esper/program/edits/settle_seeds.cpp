#include "esper/program/edits/settle_seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "esper/program/edits/blocks.h"
#include "esper/program/edits/seed_wiring.h"

namespace esper::graph {
namespace {

bool is_taken(const Program& program, std::string_view scope) {
    const auto named = [&](const auto& items) {
        return std::ranges::any_of(items,
                                   [&](const auto& item) { return is_under(item.name, scope); });
    };
    return named(program.parameters()) || named(program.buffers()) || named(program.controls()) ||
           std::ranges::any_of(program.instructions(), [&](const Instruction& item) {
               return is_under(item.scope, scope);
           });
}

std::string free_scope(const Program& program, const std::string& seed) {
    auto scope = "grown." + seed;
    for (int n = 2; is_taken(program, scope); ++n) scope = fmt::format("grown.{}-{}", seed, n);
    return scope;
}

}  // namespace

Result<ProgramPtr> settle_seeds(const Program& program) {
    std::map<std::string, std::string> scopes;
    for (const auto& seed : seeds_in(program)) {
        if (seed.mode != SeedMode::kFolded)
            return fail(GraphError::kIllegalEdit,
                        fmt::format("seed '{}' at anchor '{}' is {}; only seeds that were kept can "
                                    "become part of a host",
                                    seed.seed, seed.anchor, seed_mode_name(seed.mode)));
        scopes[seed_scope(seed.seed)] = free_scope(program, seed.seed);
    }
    const auto settle = [&](std::string& name) {
        for (const auto& [from, to] : scopes) {
            if (!is_under(name, from)) continue;
            name.replace(0, from.size(), to);
            return;
        }
    };
    auto parts = program.parts();
    for (auto& item : parts.parameters) settle(item.name);
    for (auto& item : parts.buffers) settle(item.name);
    for (auto& item : parts.controls) settle(item.name);
    for (auto& item : parts.instructions) settle(item.scope);
    return Program::make(std::move(parts));
}

}  // namespace esper::graph
