#include "esper/exchange/importers/pt2.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "esper/base/mapped_file.h"
#include "esper/base/printable_text.h"
#include "esper/engine/tensor_store.h"
#include "esper/engine/torch_compat.h"
#include "esper/exchange/importers/program_writer.h"
#include "esper/program/operators.h"

namespace esper::graph {

namespace importing {

namespace {

using nlohmann::json;

// The initialisation of a parameter without values (in a graph without weights).
Init guess_init(const std::string& name, const TensorType& type) {
    const auto& shape = type.shape;
    if (shape.size() < 2)
        return name.ends_with("weight") ? Init{Init::Kind::kConstant, 1.0} : Init{};
    double fan_in = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
    return {Init::Kind::kNormal, fan_in > 0 ? 1.0 / std::sqrt(fan_in) : 0.0};
}
Init guess_buffer_init(const std::string& name) {
    return name.ends_with("running_var") ? Init{Init::Kind::kConstant, 1.0} : Init{};
}

class ModelReader {
  public:
    ModelReader(const Archive& archive, const ImportOptions& options)
        : archive_(archive),
          options_(options),
          module_(archive.model().at("graph_module")),
          graph_(module_.at("graph")),
          signature_(module_.at("signature")) {}

    Result<ImportedModel> read() {
        writer_.parts.name = archive_.name();
        ESPER_CHECK_STATUS(inputs());
        ESPER_CHECK_STATUS(write_nodes(writer_, graph_, options_.namespaces));
        writer_.inside = ModuleCalls::kNone;
        ESPER_CHECK_STATUS(mutations());
        ESPER_CHECK_STATUS(outputs());
        drop_unused_sizes();
        ESPER_TRY(model_.program, writer_.finish());
        if (!writer_.saw_training_flag)
            writer_.notes.emplace_back(
                "nothing in the model behaves differently in training: it has no BatchNorm or "
                "dropout, or was exported in evaluation mode");
        model_.notes = std::move(writer_.notes);
        return std::move(model_);
    }

  private:
    Status inputs() {
        const auto& specs = signature_.at("input_specs");
        if (specs.size() != graph_.at("inputs").size())
            return fail(GraphError::kMalformed, "the graph and its signature differ in inputs");
        std::set<std::string> taken;
        for (const auto& spec : specs) {
            if (spec.contains("parameter"))
                ESPER_CHECK_STATUS(
                    stored(spec.at("parameter"), "parameter_name", Kind::kParameter));
            else if (spec.contains("buffer"))
                ESPER_CHECK_STATUS(stored(spec.at("buffer"), "buffer_name", Kind::kBuffer));
            else if (spec.contains("tensor_constant"))
                ESPER_CHECK_STATUS(
                    stored(spec.at("tensor_constant"), "tensor_constant_name", Kind::kConstant));
            else if (spec.contains("constant_input"))
                ESPER_CHECK_STATUS(constant(spec.at("constant_input")));
            else if (!spec.contains("user_input"))
                return fail(ImportError::kUnsupported,
                            "the model has an input that is no tensor (a script object or token)");
        }
        for (const auto& p : writer_.parts.parameters) taken.insert(p.name);
        for (const auto& b : writer_.parts.buffers) taken.insert(b.name);
        taken.insert("dropout.step");
        for (const auto& spec : specs)
            if (spec.contains("user_input"))
                ESPER_CHECK_STATUS(user_input(spec.at("user_input").at("arg"), taken));
        return {};
    }

    enum class Kind { kParameter, kBuffer, kConstant };

    Status stored(const json& spec, const char* key, Kind kind) {
        const auto name = spec.at(key).get<std::string>();
        const auto in_graph = spec.at("arg").at("name").get<std::string>();
        const auto identity = (kind == Kind::kParameter ? "p" : "b") + archive_.identity(name);
        if (const auto it = same_.find(identity); it != same_.end()) {
            ESPER_TRY(const auto bound, writer_.find(it->second.in_graph));
            writer_.bind(in_graph, bound);
            model_.aliases.emplace(name, it->second.name);
            return {};
        }
        ESPER_TRY(auto meta, read_meta(graph_.at("tensor_values").at(in_graph)));
        const auto type = meta.type;
        bool trainable = meta.requires_grad;
        if (options_.weights || archive_.has(name)) {
            ESPER_TRY(auto tensor, archive_.tensor(name));
            if (tensor.sizes() != at::IntArrayRef(type.shape) ||
                tensor.scalar_type() != to_scalar_type(type.dtype))
                return fail(GraphError::kMalformed, "'" + printable(name, kLongestName) + "' is " +
                                                        to_string(type) +
                                                        " in the graph, but not in the weights");
            trainable = archive_.requires_grad(name);
            model_.tensors.emplace(name, std::move(tensor));
            same_.emplace(identity, Same{name, in_graph});
        }
        const auto value = writer_.new_value();
        if (kind == Kind::kParameter)
            writer_.parts.parameters.push_back(
                {name, type, guess_init(name, type), trainable, value});
        else
            writer_.parts.buffers.push_back({name, type, guess_buffer_init(name), value});
        writer_.bind(in_graph, value);
        writer_.set_type(value, std::move(meta));
        return {};
    }

    Status constant(const json& spec) {
        ESPER_TRY(auto value, read_constant(spec.at("value")));
        writer_.bind(spec.at("name").get<std::string>(), std::move(value));
        return {};
    }
    static Result<Constant> read_constant(const json& value) {
        if (value.contains("as_int")) return Constant{value.at("as_int").get<std::int64_t>()};
        if (value.contains("as_bool")) return Constant{value.at("as_bool").get<bool>()};
        if (value.contains("as_float")) return Constant{value.at("as_float").get<double>()};
        if (value.contains("as_string")) return Constant{value.at("as_string").get<std::string>()};
        return Constant{};
    }

    Status user_input(const json& arg, std::set<std::string>& taken) {
        if (!arg.contains("as_tensor"))
            return fail(ImportError::kUnsupported,
                        "the model takes a number as an input; export it with the number fixed");
        const auto in_graph = arg.at("as_tensor").at("name").get<std::string>();
        ESPER_TRY(auto meta, read_meta(graph_.at("tensor_values").at(in_graph)));
        auto name = in_graph;
        while (!taken.insert(name).second) name.insert(0, "input.");
        const auto value = writer_.new_value();
        writer_.parts.inputs.push_back({name, meta.type, value});
        writer_.bind(in_graph, value);
        writer_.set_type(value, std::move(meta));
        return {};
    }

    // A graph without in-place operators returns the new values of its buffers as outputs.
    Status mutations() {
        for (const auto& spec : signature_.at("output_specs")) {
            if (spec.contains("user_output") || spec.contains("loss_output")) continue;
            if (!spec.contains("buffer_mutation"))
                return fail(ImportError::kUnsupported,
                            "the model changes a parameter or an input, or returns a gradient");
            const auto& mutation = spec.at("buffer_mutation");
            const auto buffer = mutation.at("buffer_name").get<std::string>();
            ESPER_TRY(const auto bound,
                      writer_.find(mutation.at("arg").at("name").get<std::string>()));
            const auto* id = std::get_if<ValueId>(&bound);
            const auto& buffers = writer_.parts.buffers;
            const auto it = std::find_if(buffers.begin(), buffers.end(),
                                         [&](const auto& b) { return b.name == buffer; });
            if (id == nullptr || it == buffers.end())
                return fail(GraphError::kMalformed, "the signature changes '" +
                                                        printable(buffer, kLongestName) +
                                                        "', which is no buffer");
            ESPER_TRY(const auto written, writer_.call("aten::copy_", {it->value, *id}));
            (void)written;
        }
        return {};
    }

    std::vector<std::string> output_names() const {
        const auto& calls = module_.at("module_call_graph");
        if (calls.empty() || !calls[0].contains("signature") ||
            !calls[0].at("signature").is_object())
            return {};
        return leaf_names(calls[0].at("signature").value("out_spec", std::string()));
    }

    Status outputs() {
        std::vector<const json*> returned;
        for (const auto& spec : signature_.at("output_specs")) {
            if (spec.contains("user_output"))
                returned.push_back(&spec.at("user_output").at("arg"));
            else if (spec.contains("loss_output"))
                returned.push_back(&spec.at("loss_output").at("arg"));
        }
        auto names = output_names();
        if (names.size() != returned.size()) {
            names.clear();
            for (std::size_t i = 0; i < returned.size(); ++i)
                names.push_back(returned.size() == 1 ? "output" : fmt::format("output.{}", i));
        }
        for (std::size_t i = 0; i < returned.size(); ++i) {
            const auto& arg = *returned[i];
            const auto* tensor = arg.contains("as_tensor") ? &arg.at("as_tensor")
                                 : arg.contains("name")    ? &arg
                                                           : nullptr;
            Writer::Bound bound;
            if (tensor != nullptr) {
                ESPER_TRY(bound, writer_.find(tensor->at("name").get<std::string>()));
            }
            const auto* id = std::get_if<ValueId>(&bound);
            if (id == nullptr || writer_.is_size(*id)) {
                if (!arg.contains("as_none"))
                    writer_.notes.push_back("output '" + names[i] +
                                            "' is no tensor and was left out");
                continue;
            }
            writer_.parts.outputs.push_back({names[i], *id});
        }
        if (writer_.parts.outputs.empty())
            return fail(ImportError::kUnsupported, "the model returns no tensor");
        return {};
    }

    // Removes sizes that were only used by calls that have been left out.
    void drop_unused_sizes() {
        auto& instructions = writer_.parts.instructions;
        std::vector<std::uint32_t> reads(writer_.parts.value_count, 0);
        for (const auto& i : instructions)
            for (const auto& a : i.args) for_each_value(a, [&](ValueId v) { ++reads[v.value()]; });
        std::vector<bool> gone(writer_.parts.value_count, false);
        std::vector<bool> dead(instructions.size(), false);
        for (std::size_t k = instructions.size(); k-- > 0;) {
            const auto& i = instructions[k];
            if (i.results.size() != 1 || !writer_.is_size(i.results[0]) ||
                reads[i.results[0].value()] > 0)
                continue;
            dead[k] = gone[i.results[0].value()] = true;
            for (const auto& a : i.args) for_each_value(a, [&](ValueId v) { --reads[v.value()]; });
        }
        std::vector<Instruction> kept;
        std::vector<ModuleCalls::Id> insides;
        std::vector<bool> no_gradient;
        for (std::size_t k = 0; k < instructions.size(); ++k) {
            if (dead[k]) continue;
            kept.push_back(std::move(instructions[k]));
            insides.push_back(writer_.insides[k]);
            no_gradient.push_back(writer_.no_gradient[k]);
        }
        instructions = std::move(kept);
        writer_.insides = std::move(insides);
        writer_.no_gradient = std::move(no_gradient);
        writer_.drop(gone);
    }

    struct Same {
        std::string name;
        std::string in_graph;
    };
    const Archive& archive_;
    const ImportOptions& options_;
    const json& module_;
    const json& graph_;
    const json& signature_;
    Writer writer_;
    ImportedModel model_;
    std::map<std::string, Same> same_;
};

}  // namespace

}  // namespace importing

Result<ImportedModel> import_pt2(std::string_view bytes, std::shared_ptr<void> owner,
                                 const ImportOptions& options) {
    try {
        ESPER_TRY(const auto archive, importing::Archive::open(bytes, std::move(owner), options));
        return importing::ModelReader(archive, options).read();
    } catch (const nlohmann::json::exception& e) {
        return fail(GraphError::kMalformed,
                    std::string("the model's JSON is not what the export schema says: ") +
                        printable(e.what(), kLongestName));
    } catch (const std::exception& e) {
        return fail(GraphError::kMalformed, std::string("the model contradicts itself: ") +
                                                printable(e.what(), kLongestName));
    }
}

Result<ImportedModel> import_pt2(const std::filesystem::path& path, const ImportOptions& options) {
    ESPER_TRY(auto file, MappedFile::open(path));
    const std::string_view bytes(file->data(), file->size());
    auto model = import_pt2(bytes, file, options);
    if (!model) return fail(model.error().within(path.string()));
    return model;
}

Status load_tensors(const ImportedModel& model, TensorStore& store) {
    for (const auto& [name, tensor] : model.tensors) {
        ESPER_TRY(auto into, store.find(name));
        if (into.sizes() != tensor.sizes())
            return fail(GraphError::kShapeMismatch,
                        "'" + name + "' has another shape in the file than in the store");
        into.copy_(tensor);
    }
    return {};
}

}  // namespace esper::graph
