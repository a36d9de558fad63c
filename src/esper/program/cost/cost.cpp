#include "esper/program/cost/cost.h"

#include "esper/program/cost/cost_rules.h"
#include "esper/program/operators.h"
#include "esper/program/operators/operator_table.h"
#include "esper/program/shapes.h"

namespace esper::graph {

bool CostCall::has(std::size_t i) const { return value(i) != nullptr; }

const ValueId* CostCall::value(std::size_t i) const {
    return i < instruction_.args.size() ? std::get_if<ValueId>(&instruction_.args[i]) : nullptr;
}

const std::vector<std::int64_t>& CostCall::shape(std::size_t i) const {
    static const std::vector<std::int64_t> kNone;
    const auto* id = value(i);
    return id == nullptr ? kNone : types_[id->value()].shape;
}

std::uint64_t CostCall::numel(std::size_t i) const {
    const auto* id = value(i);
    return id == nullptr ? 0 : static_cast<std::uint64_t>(types_[id->value()].numel());
}

const std::vector<std::int64_t>& CostCall::out_shape(std::size_t result) const {
    return types_[instruction_.results.at(result).value()].shape;
}

std::uint64_t CostCall::out_numel(std::size_t result) const {
    return static_cast<std::uint64_t>(types_[instruction_.results.at(result).value()].numel());
}

bool CostCall::needs_gradient(std::size_t i) const {
    const auto* id = value(i);
    return id != nullptr && needs_gradient_[id->value()];
}

std::vector<std::int64_t> CostCall::integers(std::size_t i) const {
    if (i >= instruction_.args.size()) return {};
    const auto* constant = std::get_if<Constant>(&instruction_.args[i]);
    const auto* list =
        constant == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(constant);
    return list == nullptr ? std::vector<std::int64_t>{} : *list;
}

std::vector<const std::vector<std::int64_t>*> CostCall::shapes(std::size_t i) const {
    std::vector<const std::vector<std::int64_t>*> found;
    if (i < instruction_.args.size())
        for_each_value(instruction_.args[i],
                       [&](ValueId id) { found.push_back(&types_[id.value()].shape); });
    return found;
}

std::uint64_t CostCall::gradients_in(std::size_t i) const {
    std::uint64_t count = 0;
    if (i < instruction_.args.size())
        for_each_value(instruction_.args[i],
                       [&](ValueId id) { count += needs_gradient_[id.value()] ? 1 : 0; });
    return count;
}

std::string CostCall::text(std::size_t i) const {
    if (i >= instruction_.args.size()) return "";
    const auto* constant = std::get_if<Constant>(&instruction_.args[i]);
    const auto* value = constant == nullptr ? nullptr : std::get_if<std::string>(constant);
    return value == nullptr ? "" : *value;
}

bool CostCall::flag(std::size_t i) const {
    if (i >= instruction_.args.size()) return false;
    const auto* constant = std::get_if<Constant>(&instruction_.args[i]);
    const auto* value = constant == nullptr ? nullptr : std::get_if<bool>(constant);
    return value != nullptr && *value;
}

namespace {

bool any_argument(const Instruction& instruction, const std::vector<bool>& marked) {
    bool any = false;
    for (const auto& argument : instruction.args)
        for_each_value(argument, [&](ValueId id) { any = any || marked[id.value()]; });
    return any;
}

/// What an in-place operator writes is its first argument.
const ValueId* written(const Instruction& instruction) {
    return is_in_place(instruction.op) && !instruction.args.empty()
               ? std::get_if<ValueId>(&instruction.args.front())
               : nullptr;
}

/// Values that depend on something trainable.
std::vector<bool> trainable_values(const Program& program, const std::vector<TensorType>& types) {
    std::vector<bool> marked(program.value_count(), false);
    for (const auto& p : program.parameters())
        if (p.trainable) marked[p.value.value()] = true;
    for (const auto& instruction : program.instructions()) {
        if (instruction.op == "aten::detach" || instruction.op == "esper::dropout_mask") continue;
        if (!any_argument(instruction, marked)) continue;
        for (auto id : instruction.results)
            marked[id.value()] = is_floating(types[id.value()].dtype);
        if (const auto* target = written(instruction)) marked[target->value()] = true;
    }
    return marked;
}

/// Instructions that an output depends on: only through them does a gradient come back.
std::vector<bool> live_instructions(const Program& program) {
    std::vector<bool> values(program.value_count(), false);
    for (const auto& o : program.outputs()) values[o.value.value()] = true;
    auto instructions = program.instructions();
    std::vector<bool> live(instructions.size(), false);
    for (std::size_t i = instructions.size(); i-- > 0;) {
        for (auto id : instructions[i].results) live[i] = live[i] || values[id.value()];
        if (const auto* target = written(instructions[i]))
            live[i] = live[i] || values[target->value()];
        if (!live[i]) continue;
        for (const auto& argument : instructions[i].args)
            for_each_value(argument, [&](ValueId id) { values[id.value()] = true; });
    }
    return live;
}

}  // namespace

Result<Cost> count_cost(const Program& program) {
    ESPER_CHECK_STATUS(validate_operators(program));
    ESPER_TRY(auto types, infer_types(program, 1));
    const auto trainable = trainable_values(program, types);
    const auto live = live_instructions(program);
    std::vector<bool> counted(program.value_count(), false);

    Cost cost;
    cost.parameters = program.parameter_count();
    cost.instructions.reserve(program.instructions().size());
    for (std::size_t i = 0; i < program.instructions().size(); ++i) {
        const auto& instruction = program.instructions()[i];
        ESPER_TRY(const auto* known, allowed_operator(instruction.op));
        auto flops = known->cost(CostCall(instruction, types, trainable));
        InstructionCost one{flops.forward, live[i] ? flops.backward : 0, 0};
        for (const auto& argument : instruction.args)
            for_each_value(argument, [&](ValueId id) {
                // A shared parameter belongs to the first instruction that reads it.
                if (program.value(id).kind != Value::Kind::kParameter || counted[id.value()])
                    return;
                counted[id.value()] = true;
                one.parameters += types[id.value()].numel();
            });
        cost.forward_flops += one.forward_flops;
        cost.training_flops += one.forward_flops + one.backward_flops;
        cost.instructions.push_back(one);
    }
    return cost;
}

}  // namespace esper::graph
