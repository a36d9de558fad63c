#include "esper/program/effects.h"

#include <algorithm>

#include "esper/program/operators/operator_table.h"

namespace esper::graph {
namespace {

// A Program that was parsed only may name operators that are not in the table: their names tell.
Effect effect_of(const Instruction& instruction) {
    if (const auto* known = find_in_table(instruction.op)) return known->effect;
    return is_in_place(instruction.op) ? Effect::kWritesFirst : Effect::kPure;
}

bool is_constant(const Argument& argument, const Constant& expected) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant && *constant == expected;
}

}  // namespace

std::vector<std::size_t> written_arguments(const Instruction& instruction) {
    const auto& args = instruction.args;
    const std::string_view op = instruction.op;
    const auto effect = effect_of(instruction);
    std::vector<std::size_t> written;
    if (has(effect, Effect::kWritesFirst) && !args.empty()) written.push_back(0);
    if ((op.ends_with(".out") || op.ends_with("_out")) && !args.empty()) {
        const std::size_t outputs = std::max<std::size_t>(instruction.results.size(), 1);
        const std::size_t count = std::min(outputs, args.size());
        for (std::size_t i = 0; i < count; ++i) written.push_back(args.size() - count + i);
    }
    if (has(effect, Effect::kKeepsStatistics) && args.size() > 5 &&
        !is_constant(args[5], Constant{false})) {
        written.push_back(3);
        written.push_back(4);
    }
    return written;
}

bool results_share_first_argument(const Instruction& instruction) {
    const auto effect = effect_of(instruction);
    return has(effect, Effect::kWritesFirst) || has(effect, Effect::kSharesFirst);
}

bool draws_random_numbers(const Instruction& instruction) {
    const auto effect = effect_of(instruction);
    if (has(effect, Effect::kDrawsIfDropping))
        return instruction.args.size() > 4 && !is_constant(instruction.args[4], Constant{0.0});
    return has(effect, Effect::kDraws);
}

}  // namespace esper::graph
