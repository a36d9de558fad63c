#include "esper/exchange/importers/program_writer.h"

#include "esper/base/printable_text.h"
#include "esper/exchange/importers/call_rules.h"
#include "esper/program/edits/seed_wiring.h"
#include "esper/program/operators.h"

namespace esper::graph::importing {

namespace {

bool gives_size(std::string_view op) {
    return op.starts_with("aten::sym_") || op.starts_with("esper::size_") ||
           op.starts_with("esper::real") || op == "esper::integer";
}

}  // namespace

Writer::Writer() : rules(std::make_shared<CallRules>()) {}

Result<std::vector<ValueId>> Writer::call(std::string op, std::vector<Argument> args,
                                          std::size_t results) {
    ESPER_CHECK_STATUS(fill_defaults(op, args));
    if (parts.instructions.size() >= Limits::kMaxInstructions || results > Limits::kMaxArguments)
        return fail(GraphError::kTooLarge,
                    "the model has more operators or results than a "
                    "Program may have");
    std::vector<ValueId> ids;
    for (std::size_t i = 0; i < results; ++i) ids.push_back(new_value());
    if (gives_size(op))
        for (const auto id : ids) sizes_.insert(id.value());
    parts.instructions.push_back({std::move(op), std::move(args), ids, scope});
    insides.push_back(inside);
    no_gradient.push_back(without_gradient);
    return ids;
}

Result<ValueId> Writer::call(std::string op, std::vector<Argument> args) {
    ESPER_TRY(const auto ids, call(std::move(op), std::move(args), 1));
    return ids.front();
}

Result<ValueId> Writer::integer(std::int64_t number) {
    const auto it = integers_.find(number);
    if (it != integers_.end()) return it->second;
    ESPER_TRY(const auto id, call("esper::integer", {Constant{number}}));
    integers_.emplace(number, id);
    return id;
}

ValueId Writer::random_step() {
    if (!step_) {
        step_ = new_value();
        parts.controls.push_back({"dropout.step", 0, *step_});
    }
    return *step_;
}

Result<Writer::Bound> Writer::find(const std::string& name) const {
    const auto it = names_.find(name);
    if (it == names_.end())
        return fail(
            GraphError::kUndefinedValue,
            "the graph reads '" + printable(name, kLongestName) + "' before anything defines it");
    return it->second;
}

std::optional<std::vector<Value>> Writer::origins() const {
    std::vector<Value> origins(parts.value_count);
    bool all_there = true;
    const auto is_there = [&](ValueId id) { return all_there &= id.value() < parts.value_count; };
    const auto declare = [&](const auto& items, Value::Kind kind) {
        for (std::uint32_t i = 0; i < items.size(); ++i)
            if (is_there(items[i].value)) origins[items[i].value.value()] = {kind, i};
    };
    declare(parts.inputs, Value::Kind::kInput);
    declare(parts.parameters, Value::Kind::kParameter);
    declare(parts.buffers, Value::Kind::kBuffer);
    declare(parts.controls, Value::Kind::kControl);
    for (std::uint32_t i = 0; i < parts.instructions.size(); ++i) {
        for (const auto& argument : parts.instructions[i].args) for_each_value(argument, is_there);
        for (const auto id : parts.instructions[i].results)
            if (is_there(id)) origins[id.value()] = {Value::Kind::kResult, i};
    }
    for (const auto& output : parts.outputs) is_there(output.value);
    if (!all_there) return std::nullopt;
    return origins;
}

Result<ProgramPtr> Writer::finish() {
    // Anchors are found in the parts: a Program without them would be a copy of everything, checked
    // twice. What names a value that is not there is left to the one check.
    if (const auto known = origins()) parts.anchors = find_anchors(*this, *known);
    ESPER_TRY(auto program, Program::make(std::move(parts)));
    ESPER_CHECK_STATUS(validate_operators(*program));
    return program;
}

void Writer::drop(const std::vector<bool>& gone) {
    std::deque<std::optional<TensorMeta>> metas;
    integers_.clear();
    std::set<std::uint32_t> sizes;
    std::uint32_t next = 0;
    for (std::uint32_t id = 0; id < parts.value_count; ++id) {
        if (gone[id]) continue;
        metas.push_back(id < metas_.size() ? std::move(metas_[id]) : std::nullopt);
        if (sizes_.contains(id)) sizes.insert(next);
        ++next;
    }
    metas_ = std::move(metas);
    sizes_ = std::move(sizes);
    drop_values(parts, gone);
}

const TensorMeta* Writer::meta(ValueId value) const {
    return value.value() < metas_.size() && metas_[value.value()] ? &*metas_[value.value()]
                                                                  : nullptr;
}

void Writer::set_meta(ValueId value, TensorMeta meta) {
    if (metas_.size() <= value.value()) metas_.resize(value.value() + 1);
    metas_[value.value()] = std::move(meta);
}

}  // namespace esper::graph::importing
