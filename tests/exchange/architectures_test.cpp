// Graphs of known architectures without weights, made by scripts/make_graph_fixtures.py. The
// weights come from a formula; PyTorch's expected results were computed with the same weights.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/engine/tensor_store.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/split_block.h"
#include "esper/program/operators.h"
#include "exchange/zip_builder.h"

namespace esper::graph {
namespace {

using nlohmann::json;

std::string unpack(const std::string& packed) {
    std::string out(std::size_t{4} << 20, '\0');
    z_stream stream{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return bytes;
}

/// The rule of the fixtures: cos(0.7 i + phase).
at::Tensor wave(at::IntArrayRef shape, double phase) {
    std::int64_t count = 1;
    for (auto size : shape) count *= size;
    return at::arange(count, at::kDouble).mul_(0.7).add_(phase).cos_().view(shape);
}
at::Tensor filled(const Parameter& p, const std::string& name) {
    auto values = wave(p.type.shape, static_cast<double>(name.size()));
    if (p.type.shape.size() >= 2) {
        double fan_in = 1;
        for (std::size_t i = 1; i < p.type.shape.size(); ++i)
            fan_in *= static_cast<double>(p.type.shape[i]);
        return values.div_(std::sqrt(fan_in));
    }
    return name.ends_with("weight") ? values.mul_(0.1).add_(1) : values.mul_(0.1);
}

at::Tensor input_for(const Input& input, const std::string& model) {
    const auto& shape = input.type.shape;
    if (input.type.dtype != DType::kInt64) return wave(shape, 0).to(at::kFloat);
    const auto count = shape[0] * shape[1];
    const bool decoder = input.name.starts_with("decoder") && model == "t5";
    return (at::arange(count, at::kLong).view(shape) * (decoder ? 3 : 5)).remainder(100);
}

ProgramPtr in_float64(const Program& program) {
    auto parts = program.parts();
    const auto widen = [](auto& values) {
        for (auto& value : values)
            if (value.type.dtype == DType::kFloat32) value.type.dtype = DType::kFloat64;
    };
    widen(parts.inputs);
    widen(parts.parameters);
    widen(parts.buffers);
    return value_or_throw(Program::make(std::move(parts)));
}

struct Fixture {
    json content;
    ImportedModel model;
    TensorStore store{TensorStore::Options{1, false}};

    explicit Fixture(const std::string& name) {
        at::set_num_threads(1);
        const auto packed =
            value_or_throw(read_file(std::filesystem::path(ESPER_SOURCE_DIR) /
                                     "tests/exchange/fixtures" / (name + ".json.gz")));
        content = json::parse(unpack(packed));
        testing::ZipBuilder zip;
        zip.add("archive_format", "pt2");
        zip.add("models/model.json", content["model"].dump());
        json constants = json::object();
        for (const auto& [key, item] : content["constants"].items()) {
            const auto member = "c" + std::to_string(constants.size());
            constants[key] = {{"path_name", member},
                              {"is_param", false},
                              {"use_pickle", false},
                              {"tensor_meta", item[0]}};
            zip.add("data/constants/" + member, from_hex(item[1]));
        }
        zip.add("data/constants/model_constants_config.json", json{{"config", constants}}.dump());
        json weights = json::object();
        for (const auto& group : content["tied"]) {
            const auto member = "w" + std::to_string(weights.size());
            for (const auto& item : group)
                weights[item[0].get<std::string>()] = {{"path_name", member},
                                                       {"is_param", true},
                                                       {"use_pickle", false},
                                                       {"tensor_meta", item[1]}};
            std::size_t bytes = 4;
            for (const auto& size : group[0][1]["sizes"])
                bytes *= size["as_int"].get<std::size_t>();
            zip.add("data/weights/" + member, std::string(bytes, '\0'));
        }
        zip.add("data/weights/model_weights_config.json", json{{"config", weights}}.dump());
        ImportOptions options;
        options.weights = false;
        auto owner = std::make_shared<std::string>(zip.finish());
        model = value_or_throw(import_pt2(*owner, owner, options));
        EXPECT_TRUE(store.add(*model.program, "host"));
        EXPECT_TRUE(load_tensors(model, store));
        for (const auto& p : model.program->parameters())
            store.find_parameter(p.name)->value.copy_(filled(p, name_of(p.name)));
    }
    /// A parameter's name in PyTorch's named_parameters().
    std::string name_of(const std::string& ours) const {
        if (content["gradients"].contains(ours)) return ours;
        for (const auto& [alias, name] : model.aliases)
            if (name == ours && content["gradients"].contains(alias)) return alias;
        return ours;
    }
    std::vector<at::Tensor> inputs() const {
        std::vector<at::Tensor> all;
        for (const auto& input : model.program->inputs())
            all.push_back(input_for(input, content["name"]));
        return all;
    }
};

class Architecture : public ::testing::TestWithParam<const char*> {};

TEST_P(Architecture, GivesPytorchsLossAndGradients) {
    Fixture fixture(GetParam());
    const auto& program = *fixture.model.program;
    auto bindings = value_or_throw(Interpreter::bind(program, fixture.store, fixture.inputs()));
    const bool wide = fixture.content["float64"];
    if (wide)
        for (auto* all : {&bindings.parameters, &bindings.buffers, &bindings.inputs})
            for (auto& tensor : *all)
                if (tensor.is_floating_point()) tensor = tensor.to(at::kDouble);
    for (auto& p : bindings.parameters) p = p.detach().requires_grad_(true);
    auto interpreter =
        value_or_throw(Interpreter::make(wide ? in_float64(program) : fixture.model.program, true));
    const auto outputs = value_or_throw(interpreter.run(bindings));
    at::Tensor loss;
    std::int64_t index = 0;
    for (const auto& out : outputs) {
        if (!out.is_floating_point()) continue;
        auto part = (out.to(at::kDouble) * wave(out.sizes(), static_cast<double>(index++))).sum();
        loss = loss.defined() ? loss + part : part;
    }
    loss.backward();
    const double want = fixture.content["loss"];
    EXPECT_NEAR(loss.item<double>(), want, 1e-4 * std::max(1.0, std::abs(want)));
    std::size_t checked = 0;
    for (std::size_t i = 0; i < program.parameters().size(); ++i) {
        const auto name = fixture.name_of(program.parameters()[i].name);
        if (!fixture.content["gradients"].contains(name)) continue;
        const double sum = fixture.content["gradients"][name];
        EXPECT_NEAR(bindings.parameters[i].grad().to(at::kDouble).abs().sum().item<double>(), sum,
                    1e-3 * std::max(1.0, sum))
            << name;
        ++checked;
    }
    EXPECT_EQ(checked, fixture.content["gradients"].size());
}

TEST_P(Architecture, HasAnchorsCostsAndAJointProgram) {
    Fixture fixture(GetParam());
    const auto cost = count_cost(*fixture.model.program);
    ASSERT_TRUE(cost) << cost.error().to_string();
    EXPECT_GT(cost->forward_flops, 0U);
    EXPECT_GE(fixture.model.program->anchors().size(), 4U);
    for (const auto& anchor : fixture.model.program->anchors()) EXPECT_FALSE(anchor.name.empty());
    JointSpec spec;
    spec.program = fixture.model.program;
    auto ours = fixture.store.clone();
    auto joint = value_or_throw(JointProgram::record(spec, ours, fixture.inputs()));
    const auto got = value_or_throw(joint.run(fixture.inputs()));
    auto interpreter = value_or_throw(Interpreter::make(fixture.model.program, true));
    const auto want = value_or_throw(interpreter.run(fixture.store, fixture.inputs()));
    for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(at::equal(got.outputs[i], want[i]));
}

/// Residual blocks of each architecture that keep their shape.
std::size_t blocks_of(const std::string& name) {
    static const std::map<std::string, std::size_t> known{
        {"resnet18", 5}, {"mobilenetv3", 7}, {"convnext", 12}, {"efficientnet", 9},
        {"vit", 2},      {"gpt2", 2},        {"llama", 2},     {"t5", 7}};
    const auto found = known.find(name);
    return found == known.end() ? 0 : found->second;
}

TEST_P(Architecture, ItsResidualBlocksCanBeSplit) {
    Fixture fixture(GetParam());
    const auto& program = fixture.model.program;
    const auto blocks = value_or_throw(find_blocks(*program));
    std::string names;
    for (const auto& block : blocks) names += block.name + " ";
    EXPECT_EQ(blocks.size(), blocks_of(GetParam())) << names;
    if (blocks.empty()) return;
    const auto& last = blocks.back();
    const SplitBlock edit{last.name, name_for_copy(*program, last.name)};
    const auto tensors = value_or_throw(split_tensors(*program, edit));
    const auto after = value_or_throw(apply(*program, edit));
    EXPECT_TRUE(validate_operators(*after));
    // With the copy's last layers at 0 and the block's as they were, it is the same network.
    auto store = fixture.store.clone();
    ASSERT_TRUE(store.add(*after, "copy"));
    for (const auto& [from, to] : tensors.parameters) {
        const bool zero = std::ranges::find(tensors.halved, from) != tensors.halved.end();
        auto value = store.find_parameter(to)->value;
        if (zero)
            value.zero_();
        else
            value.copy_(store.find_parameter(from)->value);
    }
    auto interpreter = value_or_throw(Interpreter::make(program, false));
    auto grown = value_or_throw(Interpreter::make(after, false));
    const auto want = value_or_throw(interpreter.run(fixture.store, fixture.inputs()));
    const auto got = value_or_throw(grown.run(store, fixture.inputs()));
    for (std::size_t i = 0; i < want.size(); ++i) {
        if (!want[i].is_floating_point()) continue;
        EXPECT_TRUE(at::allclose(got[i], want[i], 1e-4, 1e-5)) << last.name;
    }
}

INSTANTIATE_TEST_SUITE_P(Known, Architecture,
                         ::testing::Values("resnet18", "mobilenetv3", "convnext", "efficientnet",
                                           "vit", "swin", "gpt2", "bert", "llama", "t5"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace esper::graph
