#include "esper/exchange/exporters/python_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "esper/exchange/exporters/python_names.h"
#include "esper/program/operators/operator_table.h"

namespace esper::graph {

namespace {

std::string python_double(double value) {
    if (std::isnan(value)) return "float(\"nan\")";
    if (std::isinf(value)) return value > 0 ? "float(\"inf\")" : "float(\"-inf\")";
    auto text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

template <typename T, typename Write>
std::string tuple(const std::vector<T>& items, Write write) {
    std::string out = "(";
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ", ";
        out += write(items[i]);
    }
    return out + (items.size() == 1 ? ",)" : ")");
}

std::string python_dtype(DType dtype) {
    static constexpr const char* kNames[] = {"float32", "bfloat16", "float16", "float64", "int64",
                                             "int32",   "int16",    "int8",    "uint8",   "bool"};
    return std::string("torch.") + kNames[static_cast<std::size_t>(dtype)];
}

std::string python_memory_format(MemoryFormat format) {
    switch (format) {
        case MemoryFormat::kContiguous:
            return "torch.contiguous_format";
        case MemoryFormat::kPreserve:
            return "torch.preserve_format";
        case MemoryFormat::kChannelsLast:
            return "torch.channels_last";
    }
    return "None";
}

std::string python_argument(const Argument& argument,
                            const std::function<std::string(ValueId)>& name_of) {
    if (const auto* value = std::get_if<ValueId>(&argument)) return name_of(*value);
    if (const auto* list = std::get_if<ValueList>(&argument)) {
        std::string out = "[";
        for (const auto& item : *list)
            out += (out.size() > 1 ? ", " : "") + (item ? name_of(*item) : std::string("None"));
        return out + "]";
    }
    return python_constant(std::get<Constant>(argument));
}

/// `torch.ops.aten.name.overload(…)`, keywords where the schema wants them.
Result<std::string> by_schema(const Operator& op, const std::vector<std::string>& arguments) {
    const auto& schema = op.schema;
    if (!schema.name.starts_with("aten::"))
        return fail(GraphError::kUnknownOperator,
                    "operator " + schema.name +
                        " has no counterpart in plain PyTorch; a model that uses it cannot be "
                        "exported as Python code");
    auto name = schema.name.substr(6);
    if (name.find('.') == std::string::npos) name += ".default";
    std::string call = "torch.ops.aten." + name + "(";
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (i > 0) call += ", ";
        if (i < schema.arguments.size() && schema.arguments[i].keyword_only)
            call += schema.arguments[i].name + "=";
        call += arguments[i];
    }
    return call + ")";
}

/// The table's spelling with the arguments in it (see OperatorRow::python); nothing if the call has
/// an argument that the spelling leaves no place for.
std::optional<std::string> spelled(std::string_view spelling,
                                   const std::vector<std::string>& arguments) {
    std::string out;
    std::size_t last_separator = 0;  // where the piece that is being written began
    for (std::size_t i = 0; i < spelling.size(); ++i) {
        if (spelling.substr(i).starts_with(", ")) last_separator = out.size();
        if (spelling[i] != '{') {
            out += spelling[i];
            continue;
        }
        const auto end = spelling.find('}', i);
        const auto piece = spelling.substr(i + 1, end - i - 1);
        const auto mark = std::min(piece.find_first_of("|!"), piece.size());
        const auto index = static_cast<std::size_t>(piece[0] - '0');
        const auto& text = arguments.at(index);
        const auto other = piece.substr(std::min(mark + 1, piece.size()));
        i = end;
        if (mark == piece.size()) {
            out += text;
        } else if (piece[mark] == '!') {
            if (text != other) return std::nullopt;
        } else if (text == other) {
            out.resize(last_separator);
        } else {
            out += text;
        }
    }
    return out;
}

}  // namespace

std::string python_constant(const Constant& constant) {
    struct Writer {
        std::string operator()(std::monostate) const { return "None"; }
        std::string operator()(TrainingFlag) const { return "self.training"; }
        std::string operator()(bool v) const { return v ? "True" : "False"; }
        std::string operator()(std::int64_t v) const { return std::to_string(v); }
        std::string operator()(double v) const { return python_double(v); }
        std::string operator()(const std::string& v) const { return python_string(v); }
        std::string operator()(const std::vector<std::int64_t>& v) const {
            return tuple(v, [](std::int64_t item) { return std::to_string(item); });
        }
        std::string operator()(const std::vector<double>& v) const {
            return tuple(v, python_double);
        }
        std::string operator()(const std::vector<bool>& v) const {
            return tuple(v, [](bool item) { return std::string(item ? "True" : "False"); });
        }
        std::string operator()(DType v) const { return python_dtype(v); }
        std::string operator()(MemoryFormat v) const { return python_memory_format(v); }
    };
    return std::visit(Writer{}, constant);
}

Result<std::string> python_call(const Instruction& instruction,
                                const std::function<std::string(ValueId)>& name_of) {
    std::vector<std::string> arguments;
    for (const auto& argument : instruction.args)
        arguments.push_back(python_argument(argument, name_of));
    ESPER_TRY(const auto* op, allowed_operator(instruction.op));
    if (arguments.size() != op->schema.arguments.size())
        return fail(GraphError::kBadArguments,
                    fmt::format("{} takes {} arguments, got {}", instruction.op,
                                op->schema.arguments.size(), arguments.size()));
    if (op->python != kBySchema)
        if (auto call = spelled(op->python, arguments)) return std::move(*call);
    return by_schema(*op, arguments);
}

}  // namespace esper::graph
