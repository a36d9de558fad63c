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

Result<Results> Writer::call(std::string op, std::vector<Argument> args, std::size_t results) {
    ESPER_CHECK_STATUS(fill_defaults(op, args));
    if (parts.instructions.size() >= Limits::kMaxInstructions || results > Limits::kMaxArguments)
        return fail(GraphError::kTooLarge,
                    "the model has more operators or results than a "
                    "Program may have");
    Results ids;
    for (std::size_t i = 0; i < results; ++i) ids.push_back(new_value());
    if (gives_size(op))
        for (const auto id : ids) sizes_.insert(id.value());
    auto& written = parts.instructions.emplace_back();
    written.op = std::move(op);
    written.args = std::move(args);
    written.results.assign(ids.begin(), ids.end());
    written.scope = scope;
    insides.push_back(inside);
    no_gradient.push_back(without_gradient);
    return ids;
}

Result<ValueId> Writer::call(std::string op, std::vector<Argument> args) {
    const ValueId next(parts.value_count);
    auto ids = call(std::move(op), std::move(args), 1);
    if (!ids) return fail(std::move(ids).error());
    return next;
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
    std::vector<Type> types;
    integers_.clear();
    std::set<std::uint32_t> sizes;
    std::uint32_t next = 0;
    for (std::uint32_t id = 0; id < parts.value_count; ++id) {
        if (gone[id]) continue;
        types.push_back(id < types_.size() ? types_[id] : Type{});
        if (sizes_.contains(id)) sizes.insert(next);
        ++next;
    }
    types_ = std::move(types);
    sizes_ = std::move(sizes);
    drop_values(parts, gone);
}

std::optional<KnownType> Writer::type(ValueId value) const {
    if (value.value() >= types_.size() || !types_[value.value()].known) return std::nullopt;
    const auto& type = types_[value.value()];
    return KnownType{type.dtype, std::span(sizes_of_values_).subspan(type.first_size, type.rank),
                     symbols_[type.symbols]};
}

void Writer::set_type(ValueId value, DType dtype, std::span<const std::int64_t> shape,
                      std::vector<std::string> symbols) {
    if (types_.size() <= value.value()) types_.resize(value.value() + 1);
    auto& type = types_[value.value()];
    type = {static_cast<std::uint32_t>(sizes_of_values_.size()), 0,
            static_cast<std::uint32_t>(shape.size()), dtype, true};
    sizes_of_values_.insert(sizes_of_values_.end(), shape.begin(), shape.end());
    if (symbols.empty()) return;
    type.symbols = static_cast<std::uint32_t>(symbols_.size());
    symbols_.push_back(std::move(symbols));
}

void Writer::copy_type(ValueId from, ValueId to) {
    if (!type(from)) return;
    if (types_.size() <= to.value()) types_.resize(to.value() + 1);
    types_[to.value()] = types_[from.value()];
}

void Writer::reserve(std::size_t values, std::size_t instructions) {
    types_.reserve(values);
    sizes_of_values_.reserve(2 * values);
    parts.instructions.reserve(instructions);
    insides.reserve(instructions);
}

}  // namespace esper::graph::importing
