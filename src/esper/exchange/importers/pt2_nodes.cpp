#include <ATen/core/function_schema.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/engine/operators/operator_library.h"
#include "esper/exchange/importers/program_writer.h"
#include "esper/program/operators/operator_table.h"

namespace esper::graph::importing {

namespace {

using nlohmann::json;

constexpr int kDeepest = 16;

// Checks that PyTorch adds while it exports; what they check holds for the sizes that the model was
// exported for. Sorted.
constexpr auto kAssertions = std::to_array<std::string_view>({
    "aten::_assert_async",
    "aten::_assert_async.msg",
    "aten::_assert_scalar",
    "aten::_assert_tensor_metadata",
    "aten::sym_constrain_range",
    "aten::sym_constrain_range_for_size",
});

bool contains(const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// `torch.ops.aten.add.Tensor` → `aten::add.Tensor`, `….default` → no overload; "" otherwise.
std::string operator_of(const std::string& target) {
    const auto words = split(target, '.');
    if (words.size() != 5 || words[0] != "torch" || words[1] != "ops") return "";
    return words[2] + "::" + words[3] + (words[4] == "default" ? "" : "." + words[4]);
}

/// "key,path,type;key,path,type": the modules that a node was called in, outermost first. Gives the
/// innermost one.
ModuleCalls::Id read_calls(const json& metadata, ModuleCalls& calls) {
    auto inside = ModuleCalls::kNone;
    if (!metadata.is_object() || !metadata.contains("nn_module_stack")) return inside;
    for (const auto& entry : split(metadata.at("nn_module_stack").get<std::string>(), ';')) {
        const auto words = split(entry, ',');
        if (words.size() < 3 || words[1].starts_with("_empty_nn_module_stack")) continue;
        inside = calls.inside(inside, words[1], words[2], words[0]);
    }
    return inside;
}

// The names of what a node gives, in order; lists are laid flat, absent results are "".
Result<std::vector<std::string>> result_names(const json& outputs) {
    std::vector<std::string> names;
    for (const auto& output : outputs) {
        if (!output.is_object() || output.size() != 1)
            return fail(GraphError::kMalformed, "a node's output must be one as_… form");
        const std::string kind = output.begin().key();
        const auto& value = output.begin().value();
        if (kind == "as_tensor") {
            names.push_back(value.at("name").get<std::string>());
        } else if (kind == "as_tensors") {
            for (const auto& item : value) names.push_back(item.at("name").get<std::string>());
        } else if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
            names.push_back(value.value("as_name", std::string()));
        } else if (kind == "as_none") {
            names.emplace_back();
        } else {
            return fail(ImportError::kUnsupported, "a result of the form '" +
                                                       printable(kind, kLongestName) +
                                                       "' has no place in a Program");
        }
    }
    return names;
}

class NodeWriter {
  public:
    NodeWriter(Writer& writer, const json& graph, const std::vector<std::string>& namespaces,
               int depth)
        : writer_(writer), graph_(graph), namespaces_(namespaces), depth_(depth) {}

    Status write() {
        for (const auto& node : graph_.at("nodes")) {
            const auto target = node.at("target").get<std::string>();
            writer_.inside = read_calls(node.at("metadata"), writer_.calls);
            writer_.scope = writer_.calls[writer_.inside].path;
            auto written = one(node, target);
            if (!written)
                return fail(
                    written.error().within(printable(target, kLongestName) +
                                           (writer_.scope.empty() ? "" : " in " + writer_.scope)));
        }
        return {};
    }

  private:
    Status one(const json& node, const std::string& target) {
        ESPER_TRY(const auto results, result_names(node.at("outputs")));
        if (target == "torch.ops.higher_order.wrap_with_set_grad_enabled")
            return inlined(node, results, 1, !boolean(node, 0));
        if (target == "torch.ops.higher_order.wrap_with_autocast") return autocast(node, results);
        if (target.starts_with("torch.ops.higher_order."))
            return fail(ImportError::kUnsupported,
                        "control flow with sub-graphs has no place in a Program; use the hook path "
                        "of the Python package");
        const auto op = operator_of(target);
        if (op.empty()) return size_call(node, target, results);
        if (contains(kAssertions, op)) return {};
        return operator_call(node, op, results);
    }

    static const json& argument(const json& node, std::size_t index) {
        return node.at("inputs").at(index).at("arg");
    }
    static bool boolean(const json& node, std::size_t index) {
        return argument(node, index).at("as_bool").get<bool>();
    }

    void bind(const std::string& name, ValueId value) {
        if (name.empty()) return;
        writer_.bind(name, value);
        const auto& metas = graph_.at("tensor_values");
        const auto it = metas.find(name);
        if (it == metas.end()) return;
        if (auto meta = read_meta(*it)) writer_.set_type(value, std::move(*meta));
    }

    Status size_call(const json& node, const std::string& target,
                     const std::vector<std::string>& results) {
        // Comparisons of sizes only feed the assertions that are left out.
        for (const auto& output : node.at("outputs"))
            if (output.contains("as_sym_bool")) return {};
        std::vector<Argument> args;
        std::vector<bool> is_float;
        for (const auto& input : node.at("inputs")) {
            const auto& arg = input.at("arg");
            ESPER_TRY(auto value, read_argument(writer_, arg, nullptr));
            args.push_back(std::move(value));
            is_float.push_back(arg.contains("as_sym_float") || arg.contains("as_float"));
        }
        if (results.size() != 1 || args.empty() || args.size() > 2)
            return fail(ImportError::kUnsupported, "not an operator on sizes that is known");
        ESPER_TRY(const auto id, write_size_call(writer_, target, args, is_float));
        bind(results[0], id);
        return {};
    }

    Status operator_call(const json& node, std::string op,
                         const std::vector<std::string>& results) {
        const auto home = op.substr(0, op.find("::"));
        if (!contains(namespaces_, home))
            return fail(GraphError::kForbiddenOperator,
                        fmt::format("'{}' is not an operator that an imported model may use "
                                    "(namespaces: {})",
                                    printable(op, kLongestName), join(namespaces_, ", ")));
        ESPER_TRY(const auto handle, find_operator(op));
        if (!is_rewritten(op)) ESPER_CHECK_STATUS(allowed_operator(op));
        ESPER_TRY(auto args, arguments(node, handle.schema()));
        return emit(std::move(op), std::move(args), results);
    }

    Result<std::vector<Argument>> arguments(const json& node, const c10::FunctionSchema& schema) {
        std::map<std::string, const json*> given;
        for (const auto& input : node.at("inputs"))
            given.emplace(input.at("name").get<std::string>(), &input.at("arg"));
        std::vector<Argument> args;
        std::size_t used = 0;
        for (std::size_t i = 0; i < schema.arguments().size(); ++i) {
            const auto& wanted = schema.arguments()[i];
            const auto it = given.find(wanted.name());
            if (it == given.end()) {
                ESPER_TRY(auto value, default_argument(schema, i));
                args.push_back(std::move(value));
                continue;
            }
            ++used;
            auto value = read_argument(writer_, *it->second, &wanted);
            if (!value) return fail(value.error().within("argument '" + wanted.name() + "'"));
            args.push_back(std::move(*value));
        }
        if (used != given.size())
            return fail(GraphError::kBadArguments,
                        "the installed libtorch's form of the operator, " + c10::toString(schema) +
                            ", lacks an argument that the model gives");
        return args;
    }

    Status emit(std::string op, std::vector<Argument> args,
                const std::vector<std::string>& results) {
        ESPER_TRY(const auto ids,
                  write_call(writer_, std::move(op), std::move(args), results.size()));
        for (std::size_t i = 0; i < results.size(); ++i) bind(results[i], ids[i]);
        return {};
    }

    Status autocast(const json& node, const std::vector<std::string>& results) {
        const auto device = argument(node, 0).at("as_string").get<std::string>();
        if (boolean(node, 2) && device == "cpu")
            return fail(ImportError::kUnsupported,
                        "the model switches autocast on for a part of itself; export it in float32 "
                        "and let run.precision choose");
        return inlined(node, results, 4, false);
    }

    // A sub-graph that only ran under another mode, written in place. Without gradients, what it
    // reads is detached.
    Status inlined(const json& node, const std::vector<std::string>& results, std::size_t at,
                   bool detached) {
        if (depth_ >= kDeepest)
            return fail(GraphError::kTooLarge, "sub-graphs inside of each other too deep");
        const auto& graph = argument(node, at).at("as_graph").at("graph");
        Writer::Names names;
        std::map<ValueId, ValueId> originals;
        const auto& inputs = graph.at("inputs");
        if (node.at("inputs").size() != at + 1 + inputs.size())
            return fail(GraphError::kMalformed,
                        "a sub-graph is called with other arguments than "
                        "it has inputs");
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            ESPER_TRY(auto value, read_argument(writer_, argument(node, at + 1 + i), nullptr));
            const auto& input = inputs[i];
            const bool tensor = input.contains("as_tensor");
            const auto name = tensor ? input.at("as_tensor").at("name").get<std::string>()
                                     : input.begin().value().value("as_name", std::string());
            Writer::Bound bound;
            if (const auto* id = std::get_if<ValueId>(&value)) {
                auto inner = *id;
                if (detached && tensor) {
                    ESPER_TRY(inner, writer_.call("aten::detach", {*id}));
                    writer_.copy_type(*id, inner);
                    originals.emplace(inner, *id);
                }
                bound = inner;
            } else if (auto* constant = std::get_if<Constant>(&value)) {
                bound = std::move(*constant);
            } else {
                return fail(ImportError::kUnsupported, "a list goes into a sub-graph");
            }
            names.emplace(name, std::move(bound));
        }
        auto outer = writer_.exchange_names(std::move(names));
        const bool before =
            std::exchange(writer_.without_gradient, writer_.without_gradient || detached);
        ESPER_CHECK_STATUS(write_nodes(writer_, graph, namespaces_, depth_ + 1));
        ESPER_TRY(const auto inner_results, result_names(graph.at("outputs")));
        std::vector<Writer::Bound> outputs;
        for (const auto& name : inner_results) {
            if (name.empty()) {
                outputs.emplace_back(Constant{});
                continue;
            }
            ESPER_TRY(auto bound, writer_.find(name));
            if (const auto* id = std::get_if<ValueId>(&bound))
                if (const auto it = originals.find(*id); it != originals.end()) bound = it->second;
            outputs.push_back(std::move(bound));
        }
        writer_.exchange_names(std::move(outer));
        writer_.without_gradient = before;
        if (outputs.size() != results.size())
            return fail(GraphError::kMalformed,
                        fmt::format("a sub-graph gives {} results, its call names {}",
                                    outputs.size(), results.size()));
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (results[i].empty()) continue;
            if (const auto* id = std::get_if<ValueId>(&outputs[i]))
                bind(results[i], *id);
            else
                writer_.bind(results[i], outputs[i]);
        }
        return {};
    }

    Writer& writer_;
    const json& graph_;
    const std::vector<std::string>& namespaces_;
    int depth_;
};

}  // namespace

Status write_nodes(Writer& writer, const json& graph, const std::vector<std::string>& namespaces,
                   int depth) {
    return NodeWriter(writer, graph, namespaces, depth).write();
}

}  // namespace esper::graph::importing
