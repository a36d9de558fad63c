#include <map>

#include "esper/base/printable_text.h"
#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

struct SizeCall {
    const char* on_integers;
    const char* on_reals;
};

const std::map<std::string, SizeCall, std::less<>>& calls() {
    static const std::map<std::string, SizeCall, std::less<>> table{
        {"_operator.add", {"esper::size_add", "esper::real_add"}},
        {"_operator.sub", {"esper::size_sub", "esper::real_sub"}},
        {"_operator.mul", {"esper::size_mul", "esper::real_mul"}},
        {"_operator.floordiv", {"esper::size_floordiv", nullptr}},
        {"_operator.mod", {"esper::size_mod", nullptr}},
        {"_operator.neg", {"esper::size_neg", nullptr}},
        {"_operator.truediv", {nullptr, "esper::real_div"}},
        {"_operator.pow", {nullptr, "esper::real_pow"}},
        {"torch.sym_max", {"esper::size_max", nullptr}},
        {"torch.sym_min", {"esper::size_min", nullptr}},
        {"math.trunc", {nullptr, "esper::size_trunc"}},
        {"math.ceil", {nullptr, "esper::size_ceil"}},
        {"math.floor", {nullptr, "esper::size_floor"}},
        {"torch.sym_int", {nullptr, "esper::size_trunc"}},
    };
    return table;
}

// A constant as a value, so that it can be used in a list with sizes.
Result<ValueId> as_value(Writer& writer, const Argument& argument) {
    if (const auto* id = std::get_if<ValueId>(&argument)) return *id;
    const auto* constant = std::get_if<Constant>(&argument);
    if (constant != nullptr && std::holds_alternative<std::int64_t>(*constant))
        return writer.integer(std::get<std::int64_t>(*constant));
    if (constant != nullptr && std::holds_alternative<double>(*constant))
        return writer.call("esper::real", {*constant});
    return fail(ImportError::kUnsupported, "arithmetic on sizes with what is no number");
}

}  // namespace

Result<ValueId> write_size_call(Writer& writer, const std::string& target,
                                const std::vector<Argument>& args,
                                const std::vector<bool>& is_float) {
    const auto it = calls().find(target);
    const bool to_float = target == "torch.sym_float";
    if (it == calls().end() && !to_float)
        return fail(ImportError::kUnsupported,
                    "'" + printable(target, kLongestName) +
                        "' on sizes is not known; a model whose shapes follow from its data goes "
                        "by the hook path of the Python package");
    bool reals = it != calls().end() && it->second.on_integers == nullptr;
    std::vector<Argument> values;
    for (const auto& argument : args) {
        ESPER_TRY(const auto value, as_value(writer, argument));
        values.emplace_back(value);
    }
    for (const bool one : is_float) reals = reals || one;
    if (to_float)
        return reals ? std::get<ValueId>(values.at(0))
                     : writer.call("esper::size_float", std::move(values));
    if (reals) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (is_float[i]) continue;
            ESPER_TRY(const auto wide, writer.call("esper::size_float", {values[i]}));
            values[i] = wide;
        }
    }
    const auto* op = reals ? it->second.on_reals : it->second.on_integers;
    if (op == nullptr)
        return fail(ImportError::kUnsupported,
                    "'" + printable(target, kLongestName) + "' on fractions of sizes");
    return writer.call(op, std::move(values));
}

}  // namespace esper::graph::importing
