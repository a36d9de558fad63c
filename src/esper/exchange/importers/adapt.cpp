#include <ATen/core/function_schema.h>
#include <fmt/format.h>

#include <algorithm>

#include "esper/engine/operators/operator_library.h"
#include "esper/exchange/importers/call_rules.h"
#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

constexpr std::string_view kToDevice = "aten::to.device";

bool is_value(const Argument& argument) { return std::holds_alternative<ValueId>(argument); }
bool is_number(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant != nullptr &&
           (std::holds_alternative<std::int64_t>(*constant) ||
            std::holds_alternative<double>(*constant) || std::holds_alternative<bool>(*constant));
}
bool is_true(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant != nullptr && *constant == Constant{true};
}

// A number beside a tensor stands in another overload than a second tensor.
bool number_stands_second(const Writer& writer, const std::vector<Argument>& args) {
    if (args.size() < 2 || !is_value(args[0])) return false;
    const auto* size = std::get_if<ValueId>(&args[1]);
    return is_number(args[1]) || (size != nullptr && writer.is_size(*size));
}

// BatchNorm counts its batches while training only.
void count_batches(Writer& writer, const std::string& op, std::vector<Argument>& args) {
    if ((op != "aten::add_.Scalar" && op != "aten::add.Scalar") || !is_value(args[0])) return;
    if (args[1] != Argument(Constant{std::int64_t{1}})) return;
    // They are declared in the order of their values.
    const auto value = std::get<ValueId>(args[0]);
    const auto& buffers = writer.parts.buffers;
    const auto it = std::lower_bound(buffers.begin(), buffers.end(), value,
                                     [](const Buffer& b, ValueId id) { return b.value < id; });
    if (it == buffers.end() || it->value != value || !it->name.ends_with("num_batches_tracked"))
        return;
    args[1] = Constant{TrainingFlag{}};
    writer.saw_training_flag = true;
}

void training_flag_of(Writer& writer, const CallRule& rule, std::vector<Argument>& args) {
    // Without running statistics a norm uses the batch's in evaluation too.
    for (const auto i : rule.running_means)
        if (i < args.size() && !is_value(args[i])) return;
    for (const auto i : rule.training_flags) {
        if (i >= args.size() || !is_true(args[i])) continue;
        args[i] = Constant{TrainingFlag{}};
        writer.saw_training_flag = true;
    }
}

// By libtorch's schema: some of what is written here becomes operators of the table further on.
Status fill_schema_defaults(const CallRule& rule, std::vector<Argument>& args) {
    for (const auto i : rule.floats) {
        auto* constant = i < args.size() ? std::get_if<Constant>(&args[i]) : nullptr;
        const auto* whole = constant == nullptr ? nullptr : std::get_if<std::int64_t>(constant);
        if (whole != nullptr) *constant = static_cast<double>(*whole);
    }
    const auto& schema = rule.handle.schema();
    while (args.size() < schema.arguments().size()) {
        ESPER_TRY(auto value, default_argument(schema, args.size()));
        args.push_back(std::move(value));
    }
    return {};
}

}  // namespace

bool is_rewritten(std::string_view op) { return op == kToDevice || has_random_rule(op); }

Result<Results> write_call(Writer& writer, std::string op, std::vector<Argument> args,
                           std::size_t results) {
    // A batch in channels-last order has no view of this kind; where it has, this is one.
    if (op == "aten::view") op = "aten::reshape";
    if (op == kToDevice && args.size() > 1) {
        op = "aten::to.dtype";
        args.erase(args.begin() + 1);
    }
    ESPER_TRY(const auto* rule, writer.rules->find(op));
    if (number_stands_second(writer, args) && !rule->with_number.empty()) {
        op = rule->with_number;
        ESPER_TRY(rule, writer.rules->find(op));
    }
    count_batches(writer, op, args);
    training_flag_of(writer, *rule, args);
    ESPER_CHECK_STATUS(fill_schema_defaults(*rule, args));
    Call call{std::move(op), std::move(args)};
    std::optional<Results> ids;
    if (rule->may_draw) {
        ESPER_TRY(ids, write_random_call(writer, call));
    }
    if (!ids) {
        ESPER_TRY(ids, writer.call(std::move(call.op), std::move(call.args), results));
    }
    if (ids->size() < results)
        return fail(GraphError::kBadArguments,
                    fmt::format("expected {} results, got {}", ids->size(), results));
    return std::move(*ids);
}

}  // namespace esper::graph::importing
