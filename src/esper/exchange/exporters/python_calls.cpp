#include "esper/exchange/exporters/python_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "esper/base/text.h"
#include "esper/engine/operators/operator_library.h"
#include "esper/exchange/exporters/python_names.h"

namespace esper::graph {

namespace {

/// How an operator's arguments stand in the call; `omit` is the text at which one is left out.
struct Piece {
    std::size_t argument;
    std::string keyword;
    std::string omit;
};
struct Form {
    std::string function;  ///< one that starts with a dot is a method of the first piece
    std::vector<Piece> pieces;
};

const std::map<std::string, Form, std::less<>>& forms() {
    static const std::map<std::string, Form, std::less<>> all{
        {"aten::linear", {"F.linear", {{0, "", ""}, {1, "", ""}, {2, "bias", "None"}}}},
        {"aten::conv1d",
         {"F.conv1d",
          {{0, "", ""},
           {1, "", ""},
           {2, "bias", "None"},
           {3, "stride", "(1,)"},
           {4, "padding", "(0,)"},
           {5, "dilation", "(1,)"},
           {6, "groups", "1"}}}},
        {"aten::conv2d",
         {"F.conv2d",
          {{0, "", ""},
           {1, "", ""},
           {2, "bias", "None"},
           {3, "stride", "(1, 1)"},
           {4, "padding", "(0, 0)"},
           {5, "dilation", "(1, 1)"},
           {6, "groups", "1"}}}},
        {"aten::batch_norm",
         {"F.batch_norm",
          {{0, "", ""},
           {3, "", ""},
           {4, "", ""},
           {1, "weight", "None"},
           {2, "bias", "None"},
           {5, "training", "False"},
           {6, "momentum", ""},
           {7, "eps", ""}}}},
        {"aten::group_norm",
         {"F.group_norm",
          {{0, "", ""}, {1, "", ""}, {2, "weight", "None"}, {3, "bias", "None"}, {4, "eps", ""}}}},
        {"aten::layer_norm",
         {"F.layer_norm",
          {{0, "", ""}, {1, "", ""}, {2, "weight", "None"}, {3, "bias", "None"}, {4, "eps", ""}}}},
        {"aten::rms_norm",
         {"F.rms_norm", {{0, "", ""}, {1, "", ""}, {2, "weight", "None"}, {3, "eps", "None"}}}},
        {"aten::relu", {"F.relu", {{0, "", ""}}}},
        {"aten::silu", {"F.silu", {{0, "", ""}}}},
        {"aten::gelu", {"F.gelu", {{0, "", ""}, {1, "approximate", "\"none\""}}}},
        {"aten::sigmoid", {"torch.sigmoid", {{0, "", ""}}}},
        {"aten::tanh", {"torch.tanh", {{0, "", ""}}}},
        {"aten::sin", {"torch.sin", {{0, "", ""}}}},
        {"aten::addcmul",
         {"torch.addcmul", {{0, "", ""}, {1, "", ""}, {2, "", ""}, {3, "value", "1"}}}},
        {"aten::embedding", {"F.embedding", {{1, "", ""}, {0, "", ""}}}},
        {"aten::max_pool2d",
         {"F.max_pool2d",
          {{0, "", ""},
           {1, "", ""},
           {2, "stride", "()"},
           {3, "padding", "(0, 0)"},
           {4, "dilation", "(1, 1)"},
           {5, "ceil_mode", "False"}}}},
        {"aten::scaled_dot_product_attention",
         {"F.scaled_dot_product_attention",
          {{0, "", ""},
           {1, "", ""},
           {2, "", ""},
           {3, "attn_mask", "None"},
           {4, "dropout_p", "0.0"},
           {5, "is_causal", "False"},
           {6, "scale", "None"},
           {7, "enable_gqa", "False"}}}},
        {"aten::constant_pad_nd", {"F.pad", {{0, "", ""}, {1, "", ""}, {2, "value", "0"}}}},
        {"aten::flatten.using_ints", {".flatten", {{0, "", ""}, {1, "", ""}, {2, "", "-1"}}}},
        {"aten::unflatten.int", {".unflatten", {{0, "", ""}, {1, "", ""}, {2, "", ""}}}},
        {"aten::permute", {".permute", {{0, "", ""}, {1, "", ""}}}},
        {"aten::transpose.int", {".transpose", {{0, "", ""}, {1, "", ""}, {2, "", ""}}}},
        {"aten::select.int", {".select", {{0, "", ""}, {1, "", ""}, {2, "", ""}}}},
        {"aten::narrow", {".narrow", {{0, "", ""}, {1, "", ""}, {2, "", ""}, {3, "", ""}}}},
        {"aten::expand_as", {".expand_as", {{0, "", ""}, {1, "", ""}}}},
        {"aten::detach", {".detach", {{0, "", ""}}}},
        {"aten::mean.dim",
         {".mean", {{0, "", ""}, {1, "", ""}, {2, "keepdim", "False"}, {3, "dtype", "None"}}}},
        {"esper::straight_through", {"straight_through", {{0, "", ""}, {1, "", ""}}}},
    };
    return all;
}

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

/// Esper's own operators in Python's words: sizes and what is drawn.
const std::map<std::string, const char*, std::less<>>& own_forms() {
    static const std::map<std::string, const char*, std::less<>> all{
        {"esper::integer", "{0}"},
        {"esper::real", "{0}"},
        {"esper::size_add", "({0} + {1})"},
        {"esper::size_sub", "({0} - {1})"},
        {"esper::size_mul", "({0} * {1})"},
        {"esper::size_floordiv", "({0} // {1})"},
        {"esper::size_mod", "({0} % {1})"},
        {"esper::size_neg", "(-{0})"},
        {"esper::size_min", "min({0}, {1})"},
        {"esper::size_max", "max({0}, {1})"},
        {"esper::size_float", "float({0})"},
        {"esper::size_trunc", "int({0})"},
        {"esper::size_ceil", "int(-(-{0} // 1))"},
        {"esper::size_floor", "int({0} // 1)"},
        {"esper::real_add", "({0} + {1})"},
        {"esper::real_sub", "({0} - {1})"},
        {"esper::real_mul", "({0} * {1})"},
        {"esper::real_div", "({0} / {1})"},
        {"esper::real_pow", "({0} ** {1})"},
        {"esper::dropout_mask", "F.dropout(torch.ones_like({0}), {1}, training=self.training)"},
        {"esper::bernoulli",
         "(torch.bernoulli(torch.full_like({0}, {1})) if self.training else torch.full_like({0}, "
         "{1}))"},
        {"esper::uniform", "torch.rand_like({0})"},
        {"esper::normal", "torch.randn_like({0})"},
    };
    return all;
}

Result<std::string> by_schema(const Instruction& instruction,
                              const std::vector<std::string>& arguments) {
    if (!instruction.op.starts_with("aten::"))
        return fail(GraphError::kUnknownOperator,
                    "operator " + instruction.op +
                        " has no counterpart in plain PyTorch; a model that uses it cannot be "
                        "exported as Python code");
    ESPER_TRY(const auto handle, find_operator(instruction.op));
    const auto& schema = handle.schema().arguments();
    auto name = instruction.op.substr(6);
    if (name.find('.') == std::string::npos) name += ".default";
    std::string call = "torch.ops.aten." + name + "(";
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (i > 0) call += ", ";
        if (i < schema.size() && schema[i].kwarg_only()) call += schema[i].name() + "=";
        call += arguments[i];
    }
    return call + ")";
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
    const auto& op = instruction.op;
    if ((op == "aten::add.Tensor" || op == "aten::sub.Tensor") && arguments.size() == 3 &&
        arguments[2] == "1")
        return arguments[0] + (op == "aten::add.Tensor" ? " + " : " - ") + arguments[1];
    if (op == "aten::mul.Tensor" && arguments.size() == 2)
        return arguments[0] + " * " + arguments[1];
    if (op == "aten::to.dtype" && arguments.size() == 5 && arguments[2] == "False" &&
        arguments[3] == "False" && arguments[4] == "None")
        return arguments[0] + ".to(" + arguments[1] + ")";
    if (const auto own = own_forms().find(op); own != own_forms().end()) {
        arguments.resize(std::max<std::size_t>(arguments.size(), 2));
        return fmt::format(fmt::runtime(own->second), arguments[0], arguments[1]);
    }

    const auto form = forms().find(op);
    if (form == forms().end()) return by_schema(instruction, arguments);
    const bool method = form->second.function.front() == '.';
    std::vector<std::string> written;
    std::string receiver;
    for (std::size_t i = 0; i < form->second.pieces.size(); ++i) {
        const auto& piece = form->second.pieces[i];
        if (piece.argument >= arguments.size()) continue;
        const auto& text = arguments[piece.argument];
        if (method && i == 0) {
            receiver = text;
        } else if (piece.omit.empty() || text != piece.omit) {
            written.push_back(piece.keyword.empty() ? text : piece.keyword + "=" + text);
        }
    }
    return receiver + form->second.function + "(" + join(written, ", ") + ")";
}

}  // namespace esper::graph
