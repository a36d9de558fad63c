#include "esper/services/tolaria/host/imported_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/program/shapes.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

using graph::DType;

tl::unexpected<Error> unfit(const configs::EsperConfig& config, const std::string& why) {
    return fail(TolariaError::kUnsupported, "model.path '" + config.model.path + "': " + why);
}

// [batch, …] as the data has them; -1 in the model takes any size.
Status check_input(const configs::EsperConfig& config, const graph::Program& program,
                   const DatasetInfo& data) {
    if (program.inputs().size() != 1)
        return unfit(config, fmt::format("the trainer gives a model one input, this one has {}",
                                         program.inputs().size()));
    const auto& type = program.inputs()[0].type;
    const auto wanted = data.tokens ? DType::kInt64 : DType::kFloat32;
    bool fits = type.dtype == wanted && type.shape.size() == data.input_shape.size() + 1;
    for (std::size_t i = 0; fits && i < data.input_shape.size(); ++i)
        fits = type.shape[i + 1] < 0 || type.shape[i + 1] == data.input_shape[i];
    if (!fits) {
        graph::TensorType batch{wanted, {-1}};
        batch.shape.insert(batch.shape.end(), data.input_shape.begin(), data.input_shape.end());
        return unfit(
            config,
            fmt::format("it takes {}, the data gives {}{}", to_string(type), to_string(batch),
                        data.tokens ? " (data.context sets the second size)" : ""));
    }
    if (type.shape[0] >= 0)
        return unfit(config,
                     fmt::format("it was exported for batches of exactly {}; export it with a free "
                                 "batch: dynamic_shapes=({{0: torch.export.Dim(\"batch\")}},)",
                                 type.shape[0]));
    return {};
}

Result<std::string> find_logits(const configs::EsperConfig& config, const graph::Program& program) {
    if (program.find_output("logits") != nullptr) return std::string("logits");
    if (program.outputs().size() == 1) return program.outputs()[0].name;
    std::string names;
    for (const auto& o : program.outputs()) names += (names.empty() ? "" : ", ") + o.name;
    return unfit(config, "it has several outputs (" + names +
                             ") and none named 'logits'; return a dict {\"logits\": …}");
}

// Removes all outputs except the logits, and fixes all free sizes except the batch.
Result<graph::ProgramPtr> only_logits(const graph::Program& program, const std::string& output,
                                      const DatasetInfo& data) {
    auto parts = program.parts();
    std::copy(data.input_shape.begin(), data.input_shape.end(),
              parts.inputs[0].type.shape.begin() + 1);
    const auto value = program.find_output(output)->value;
    parts.outputs = {{"logits", value}};
    std::erase_if(parts.anchors, [&](const auto& a) { return a.value == value; });
    return graph::Program::make(std::move(parts));
}

Status check_logits(const configs::EsperConfig& config, const graph::Program& program,
                    const DatasetInfo& data) {
    constexpr std::int64_t kBatch = 2;
    ESPER_TRY(const auto types, graph::infer_types(program, kBatch));
    const auto& type = types[program.find_output("logits")->value.value()];
    const std::size_t rank = data.tokens ? 3 : 2;
    const bool fits = type.dtype == DType::kFloat32 && type.shape.size() == rank &&
                      type.shape[0] == kBatch && type.shape.back() >= data.classes;
    if (fits) return {};
    return unfit(config, fmt::format("its output is {} for a batch of {}; the data has {} classes, "
                                     "so it must be f32[{}, {}{}] (or more classes)",
                                     to_string(type), kBatch, data.classes, kBatch,
                                     data.tokens ? "tokens, " : "", data.classes));
}

Status check_parameters(const configs::EsperConfig& config, const graph::Program& program) {
    for (const auto& p : program.parameters())
        if (p.type.dtype != DType::kFloat32)
            return unfit(config, fmt::format("parameter '{}' is {}; export the model in float32 "
                                             "(run.precision chooses what it is computed in)",
                                             p.name, dtype_name(p.type.dtype)));
    return {};
}

}  // namespace

bool is_exported_model(const configs::EsperConfig& config) {
    return config.model.path.ends_with(".pt2");
}

Result<graph::ImportedModel> import_host(const configs::EsperConfig& config,
                                         const DatasetInfo& data) {
    ESPER_TRY(auto model, graph::import_pt2(config.model.path));
    ESPER_CHECK_STATUS(check_input(config, *model.program, data));
    ESPER_CHECK_STATUS(check_parameters(config, *model.program));
    ESPER_TRY(const auto output, find_logits(config, *model.program));
    ESPER_TRY(model.program, only_logits(*model.program, output, data));
    ESPER_CHECK_STATUS(check_logits(config, *model.program, data));
    return model;
}

Status load_host_weights(const configs::EsperConfig& config, graph::TensorStore& store) {
    ESPER_TRY(const auto model, graph::import_pt2(config.model.path));
    return graph::load_tensors(model, store);
}

}  // namespace esper::tolaria
