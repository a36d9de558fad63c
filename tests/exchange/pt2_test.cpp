// Modules exported by the installed PyTorch, imported and compared with what PyTorch computed.
#include "esper/exchange/importers/pt2.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/engine/tensor_store.h"
#include "esper/exchange/exporters/pytorch_code.h"
#include "esper/exchange/exporters/safetensors.h"
#include "esper/exchange/importers/pt2_archive.h"

namespace esper::graph {
namespace {

namespace fs = std::filesystem;

/// The folder that holds the torch package this binary is linked with.
fs::path packages() {
    Dl_info where{};
    dladdr(reinterpret_cast<void*>(&at::get_num_threads), &where);
    return fs::canonical(where.dli_fname).parent_path().parent_path().parent_path();
}

bool run_python(const std::string& arguments) {
    const auto site = packages();
    auto python = site.parent_path().parent_path().parent_path() / "bin" / "python";
    if (!fs::exists(python)) python = "python3";
    const auto command = "PYTHONPATH='" + site.string() + "' '" + python.string() +
                         "' -W ignore '" ESPER_SOURCE_DIR "/tests/python/" + arguments;
    return std::system(command.c_str()) == 0;  // NOLINT: fixed words and our own paths
}

/// The exported cases, made once for all tests here.
const fs::path& cases() {
    static const struct Folder {
        TemporaryFolder above;
        fs::path path = above / "cases";
        Folder() {
            at::set_num_threads(1);
            made = run_python("make_pt2_cases.py' '" + path.string() + "'");
        }
        bool made = false;
    } folder;
    EXPECT_TRUE(folder.made);
    return folder.path;
}

ImportedModel import(const std::string& name) {
    return value_or_throw(import_pt2(cases() / (name + ".pt2")));
}

/// What PyTorch computed for a case.
struct Expected {
    Safetensors content;
    explicit Expected(const std::string& name)
        : content(value_or_throw(read_safetensors(cases() / (name + ".safetensors")))) {}
    std::vector<at::Tensor> all(const std::string& what) const {
        std::vector<at::Tensor> found;
        for (int i = 0;; ++i) {
            auto it = content.tensors.find(what + "." + std::to_string(i));
            if (it == content.tensors.end()) return found;
            found.push_back(it->second);
        }
    }
};

void expect_close(const at::Tensor& got, const at::Tensor& want, const std::string& what) {
    ASSERT_TRUE(got.defined()) << what;
    ASSERT_EQ(got.sizes(), want.sizes()) << what;
    EXPECT_TRUE(at::allclose(got, want, 1e-5, 1e-6, true))
        << what << " is off by " << (got - want).abs().max().item<double>();
}

class EveryCase : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryCase, GivesPytorchsOutputsGradientsAndBuffers) {
    const std::string name = GetParam();
    const auto model = import(name);
    const Expected expected(name);
    const auto& program = *model.program;
    Interpreter::Bindings bindings;
    std::map<std::string, at::Tensor> leaves;
    for (const auto& p : program.parameters()) {
        auto leaf = model.tensors.at(p.name).clone().requires_grad_(p.trainable);
        leaves[p.name] = leaf;
        bindings.parameters.push_back(leaf);
    }
    for (const auto& b : program.buffers())
        bindings.buffers.push_back(model.tensors.at(b.name).clone());
    for (std::size_t i = 0; i < program.controls().size(); ++i)
        bindings.controls.push_back(at::zeros({}));
    bindings.inputs = expected.all("in");
    auto interpreter = value_or_throw(Interpreter::make(model.program, true));
    const auto outputs = value_or_throw(interpreter.run(bindings));
    const auto wanted = expected.all("out");
    const auto weights = expected.all("weight");
    ASSERT_EQ(outputs.size(), wanted.size());
    at::Tensor loss;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        expect_close(outputs[i].detach(), wanted[i], program.outputs()[i].name);
        auto part = (outputs[i] * weights[i]).sum();
        loss = loss.defined() ? loss + part : part;
    }
    loss.backward();
    for (const auto& [key, gradient] : expected.content.tensors) {
        if (key.starts_with("grad.")) {
            auto parameter = key.substr(5);
            if (auto it = model.aliases.find(parameter); it != model.aliases.end())
                parameter = it->second;
            ASSERT_TRUE(leaves.contains(parameter)) << parameter;
            auto got = leaves.at(parameter).grad();
            if (!got.defined()) got = at::zeros_like(gradient);
            expect_close(got, gradient, key);
        } else if (key.starts_with("after.")) {
            for (std::size_t i = 0; i < program.buffers().size(); ++i)
                if (program.buffers()[i].name == key.substr(6))
                    expect_close(bindings.buffers[i], gradient, key);
        }
    }
    // The evaluated model, with the buffers as training left them.
    auto frozen = value_or_throw(Interpreter::make(model.program, false));
    const auto before = bindings.buffers;
    std::vector<at::Tensor> copies;
    for (const auto& b : before) copies.push_back(b.clone());
    const auto evaluated = value_or_throw(frozen.run(bindings));
    const auto evaluation = expected.all("eval");
    for (std::size_t i = 0; i < evaluated.size(); ++i)
        expect_close(evaluated[i].detach(), evaluation[i], "evaluated output");
    if (name == "no_grad") return;  // writes its own buffer, in every mode
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(before[i], copies[i]));
}

TEST_P(EveryCase, RunsAsAJointProgramToTheSameBits) {
    const std::string name = GetParam();
    const auto model = import(name);
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*model.program, "host"));
    ASSERT_TRUE(load_tensors(model, store));
    const Expected expected(name);
    auto ours = store.clone();
    JointSpec spec;
    spec.program = model.program;
    auto joint = value_or_throw(JointProgram::record(spec, ours, expected.all("in")));
    auto interpreter = value_or_throw(Interpreter::make(model.program, true));
    for (int step = 0; step < 2; ++step) {
        const auto got = value_or_throw(joint.run(expected.all("in")));
        const auto want = value_or_throw(interpreter.run(store, expected.all("in")));
        for (std::size_t i = 0; i < want.size(); ++i)
            EXPECT_TRUE(at::equal(got.outputs[i], want[i])) << model.program->outputs()[i].name;
    }
    for (const auto& [buffer, value] : store.buffers())
        EXPECT_TRUE(at::equal(ours.buffers().at(buffer), value)) << buffer;
}

/// A case with its own tensors, run at a step of its random numbers.
struct AtStep {
    ImportedModel model;
    TensorStore store{TensorStore::Options{1, false}};
    explicit AtStep(const std::string& name) : model(import(name)) {
        EXPECT_TRUE(store.add(*model.program, "host"));
        EXPECT_TRUE(load_tensors(model, store));
    }
    std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs, bool training, double step) {
        EXPECT_TRUE(store.set_control("dropout.step", step));
        auto interpreter = value_or_throw(Interpreter::make(model.program, training));
        return value_or_throw(interpreter.run(store, inputs));
    }
};

TEST(Pt2, DrawsRandomNumbersFromTheStepAlone) {
    AtStep random("random");
    const Expected expected("random");
    const auto inputs = expected.all("in");
    const auto first = random.run(inputs, true, 1);
    const auto again = random.run(inputs, true, 1);
    const auto later = random.run(inputs, true, 2);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(at::equal(first[i], again[i]));
        EXPECT_FALSE(at::equal(first[i], later[i]));
    }
    // rand: [0, 1), even.
    EXPECT_GE(first[1].min().item<float>(), 0);
    EXPECT_LT(first[1].max().item<float>(), 1);
    EXPECT_NEAR(first[1].mean().item<float>(), 0.5, 0.06);
    // Evaluation removes dropout, drop path and attention's dropout.
    expect_close(random.run(inputs, false, 1)[0], expected.all("eval")[0], "evaluated output");
    // And what training gives is that on average.
    std::vector<at::Tensor> draws;
    constexpr int kDraws = 400;
    for (int step = 0; step < kDraws; ++step) draws.push_back(random.run(inputs, true, step)[0]);
    const auto all = at::stack(draws).to(at::kDouble);
    const auto off = all.mean(0) - expected.all("eval")[0];
    // In standard errors of 400 draws, off is a standard normal in each place: its square is 1 in
    // the mean (1.02 here). A mask drawn twice alike, or a wrong scale, makes it many times as
    // large.
    const auto squared = off.square() / (all.var(0) / kDraws);
    const auto mean_square = squared.mean().item<double>();
    EXPECT_GT(mean_square, 0.7);
    EXPECT_LT(mean_square, 1.4);
    RecordProperty("mean_square", std::to_string(mean_square));
    RecordProperty("mean_error", std::to_string(off.abs().mean().item<double>()));
}

TEST(Pt2, IsExportedAsPlainPytorchAgain) {
    const auto root = cases() / "exported";
    int count = 0;
    for (const auto* name : {"mlp", "convnet", "block"}) {
        const auto model = import(name);
        TensorStore store({1, false});
        ASSERT_TRUE(store.add(*model.program, "host"));
        ASSERT_TRUE(load_tensors(model, store));
        auto interpreter = value_or_throw(Interpreter::make(model.program, false));
        const auto input = Expected(name).all("in")[0];
        const auto output =
            value_or_throw(interpreter.run(store, std::vector<at::Tensor>{input}))[0];
        const auto folder = root / name;
        fs::create_directories(folder);
        const auto tensors = value_or_throw(pytorch_tensors(*model.program, store));
        ASSERT_TRUE(write_safetensors(folder / "model.safetensors", tensors));
        ASSERT_TRUE(
            write_file_atomic(folder / "model.py", value_or_throw(pytorch_code(*model.program))));
        ASSERT_TRUE(write_safetensors(folder / "expected.safetensors",
                                      {{{"input", input}, {"output", output}}, {}}));
        ++count;
    }
    EXPECT_TRUE(run_python("run_exported.py' '" + root.string() + "' " + std::to_string(count)));
}

TEST(Pt2, KeepsTheBatchFreeWhereItWasExportedSo) {
    for (const auto* name : {"convnet", "block", "text", "grid", "no_grad"}) {
        const auto model = import(name);
        TensorStore store({1, false});
        ASSERT_TRUE(store.add(*model.program, "host"));
        ASSERT_TRUE(load_tensors(model, store));
        auto interpreter = value_or_throw(Interpreter::make(model.program, false));
        const auto inputs = Expected(name).all("in");
        const auto whole = value_or_throw(interpreter.run(store, inputs));
        if (std::string(name) == "no_grad") continue;  // its rows depend on each other
        const auto part = value_or_throw(
            interpreter.run(store, std::vector<at::Tensor>{inputs[0].narrow(0, 1, 2)}));
        expect_close(part[0], whole[0].narrow(0, 1, 2), name);
    }
    const auto fixed = import("mlp_fixed");
    EXPECT_EQ(fixed.program->inputs()[0].type.shape[0], 5);
}

TEST(Pt2, NamesOutputsInputsAndTiedParameters) {
    const auto text = import("text");
    std::vector<std::string> names;
    for (const auto& o : text.program->outputs()) names.push_back(o.name);
    EXPECT_EQ(names, (std::vector<std::string>{"logits", "hidden.0", "hidden.1"}));
    EXPECT_EQ(text.aliases.size(), 1U);
    const auto several = import("several");
    EXPECT_EQ(several.program->inputs().size(), 3U);
    EXPECT_FALSE(several.program->find_parameter("frozen")->trainable);
    names.clear();
    for (const auto& o : several.program->outputs()) names.push_back(o.name);
    EXPECT_EQ(names,
              (std::vector<std::string>{"output.0", "output.1.0", "output.1.1", "output.2"}));
}

TEST(Pt2, FindsPlacesForSeedsByTheModulesPaths) {
    const auto describe = [](const std::string& name) {
        std::string text;
        const auto model = import(name);
        for (const auto& a : model.program->anchors())
            text += a.name + " " + std::string(anchor_kind_name(a.kind)) + " " +
                    std::to_string(a.features) + (a.layer_input ? " x" : "") + "\n";
        return text;
    };
    EXPECT_EQ(describe("convnet"), "conv1 image 8 x\nconv2 image 8 x\n");
    EXPECT_EQ(describe("text"),
              "blocks.0.qkv tokens 48 x\nblocks.0.proj tokens 16 x\nblocks.0.mlp.0 tokens 64 x\n"
              "blocks.0.mlp.2 tokens 16 x\nblocks.0 tokens 16 x\n"
              "blocks.1.qkv tokens 48 x\nblocks.1.proj tokens 16 x\nblocks.1.mlp.0 tokens 64 x\n"
              "blocks.1.mlp.2 tokens 16 x\nblocks.1 tokens 16 x\n");
    EXPECT_EQ(describe("mlp"), "body.2 vector 12 x\nbody vector 12 x\n");
    EXPECT_EQ(describe("several"), "a vector 4 x\nb vector 2\n");
}

INSTANTIATE_TEST_SUITE_P(Pt2, EveryCase,
                         ::testing::Values("mlp", "mlp_fixed", "convnet", "block", "text",
                                           "several", "no_grad", "recurrent", "views", "grid"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace esper::graph
