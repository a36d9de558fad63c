// Every host, plain and grown, is exported, run by the installed PyTorch and compared with the
// interpreter.
#include "esper/exchange/exporters/pytorch_code.h"

#include <ATen/Parallel.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/engine/interpreter.h"
#include "esper/exchange/exporters/lineage.h"
#include "esper/program/edits/edits.h"
#include "esper/program/shapes.h"

namespace esper::core {
namespace {

namespace fs = std::filesystem;
using namespace graph;

/// The folder that holds the torch package this binary is linked with.
fs::path packages() {
    Dl_info where{};
    dladdr(reinterpret_cast<void*>(&at::get_num_threads), &where);
    return fs::canonical(where.dli_fname).parent_path().parent_path().parent_path();
}

int run_python(const std::string& arguments) {
    const auto site = packages();
    auto python = site.parent_path().parent_path().parent_path() / "bin" / "python";
    if (!fs::exists(python)) python = "python3";
    const auto command =
        "PYTHONPATH='" + site.string() + "' '" + python.string() + "' " + arguments;
    return std::system(command.c_str());  // NOLINT: fixed words and our own paths
}

std::vector<HostSpec> specs() {
    HostSpec mlp{.kind = "mlp", .depth = 2, .width = 16, .classes = 5, .features = 12};
    HostSpec resnet{.kind = "resnet", .depth = 8, .width = 8, .image_size = 16};
    HostSpec vgg{.kind = "vgg", .depth = 8, .width = 8, .image_size = 32};
    HostSpec gpt{.kind = "gpt", .depth = 2, .width = 16, .classes = 20};
    gpt.heads = 2;
    gpt.context = 12;
    gpt.dropout = 0.1;
    return {mlp, resnet, vgg, gpt};
}

at::Tensor input_for(const Program& program) {
    auto type = program.inputs()[0].type;
    type.shape[0] = 3;
    return type.dtype == DType::kInt64 ? at::randint(0, 20, type.shape, at::kLong)
                                       : at::randn(type.shape);
}

ProgramPtr grow(const ProgramPtr& program, const Anchor& anchor, const std::string& name,
                const std::string& seed, SeedMode mode) {
    const auto types = value_or_throw(infer_types(*program, 2));
    auto type = types[anchor.value.value()];
    type.shape[0] = -1;
    auto blueprint = value_or_throw(blueprints::make_blueprint(name, anchor, type));
    auto grown = value_or_throw(
        apply(*program, InsertSeed{seed, anchor.name, blueprint.name, blueprint.program}));
    if (mode == SeedMode::kIsolated) return grown;
    return value_or_throw(apply(*grown, SetSeedMode{seed, mode}));
}

void write_case(const fs::path& folder, const ProgramPtr& program) {
    fs::create_directories(folder);
    TensorStore store({7, true});
    ASSERT_TRUE(store.add(*program, "all"));
    for (const auto& control : program->controls()) {
        if (!control.name.starts_with("alpha.")) continue;
        ASSERT_TRUE(store.set_control(control.name, 0.375));
    }
    auto input = input_for(*program);
    auto interpreter = value_or_throw(Interpreter::make(program, false));
    auto outputs = value_or_throw(interpreter.run(store, std::vector<at::Tensor>{input}));
    auto tensors = value_or_throw(pytorch_tensors(*program, store));
    ASSERT_TRUE(write_safetensors(folder / "model.safetensors", tensors));
    auto code = value_or_throw(pytorch_code(*program));
    ASSERT_TRUE(write_file_atomic(folder / "model.py", code));
    ASSERT_TRUE(write_safetensors(folder / "expected.safetensors",
                                  {{{"input", input}, {"output", outputs[0]}}, {}}));
}

TEST(PytorchCode, EveryHostPlainAndGrownGivesTheInterpretersOutput) {
    const TemporaryFolder folder;
    const SeedMode modes[] = {SeedMode::kFolded, SeedMode::kBlended, SeedMode::kIsolated};
    int cases = 0;
    for (const auto& spec : specs()) {
        const auto host = value_or_throw(make_host(spec));
        write_case(folder / spec.kind, host);
        auto grown = host;
        int count = 0;
        // Goes through the anchors in turn, so that some get several seeds.
        for (const auto& name : blueprints::blueprint_names(host->anchors()[0].kind, true)) {
            const auto& anchor =
                grown->anchors()[static_cast<std::size_t>(count) % grown->anchors().size()];
            if (anchor.kind != host->anchors()[0].kind) continue;
            grown =
                grow(grown, Anchor(anchor), name, "s/" + std::to_string(count), modes[count % 3]);
            ++count;
        }
        EXPECT_GT(count, 1) << spec.kind;
        write_case(folder / (spec.kind + "-grown"), grown);
        cases += 2;
    }
    EXPECT_EQ(run_python("'" ESPER_SOURCE_DIR "/tests/python/run_exported.py' '" +
                         folder.path().string() + "' " + std::to_string(cases)),
              0);
    // Our reader reads the file that Python's safetensors wrote.
    const auto theirs = folder / "theirs.safetensors";
    if (fs::exists(theirs)) {
        auto content = value_or_throw(read_safetensors(theirs));
        ASSERT_EQ(content.tensors.size(), 3U);
        EXPECT_EQ(content.tensors.at("whole").sizes().vec(), (std::vector<std::int64_t>{2, 3}));
        EXPECT_EQ(content.tensors.at("whole").scalar_type(), at::kLong);
        EXPECT_EQ(content.tensors.at("half").item().to<double>(), 1.5);
        EXPECT_EQ(content.metadata.at("from"), "python");
    }
}

TEST(PytorchCode, RefusesAnOperatorThatPytorchLacks) {
    Program::Parts parts;
    parts.inputs.push_back({"x", {DType::kFloat32, {-1, 2}}, ValueId(0)});
    parts.instructions.push_back({"esper_cpu::fast", {ValueId(0)}, {ValueId(1)}, ""});
    parts.outputs.push_back({"y", ValueId(1)});
    parts.value_count = 2;
    auto code = pytorch_code(*value_or_throw(Program::make(parts)));
    ASSERT_FALSE(code);
    EXPECT_TRUE(code.error().is(GraphError::kForbiddenOperator));
}

TEST(Lineage, NamesTheSeedsAndTheirBlueprints) {
    const TemporaryFolder folder;
    const auto host = value_or_throw(make_host(specs()[0]));
    auto journal = value_or_throw(Journal::create(folder / "journal.jsonl", *host));
    const auto& anchor = host->anchors()[0];
    auto blueprint = value_or_throw(
        blueprints::make_blueprint("low_rank", anchor, {DType::kFloat32, {-1, anchor.features}}));
    const Edit insert = InsertSeed{"a", anchor.name, blueprint.name, blueprint.program};
    auto grown = value_or_throw(apply(*host, insert));
    ASSERT_TRUE(journal.append(insert, *grown, 17, "the plateau of step 16"));
    auto lineage = nlohmann::json::parse(value_or_throw(
        lineage_json(*grown, value_or_throw(read_journal(folder / "journal.jsonl")))));
    ASSERT_EQ(lineage["seeds"].size(), 1U);
    EXPECT_EQ(lineage["seeds"][0]["blueprint"], "low_rank");
    EXPECT_EQ(lineage["seeds"][0]["blueprint_sha256"], blueprint.program->hash().hex());
    EXPECT_EQ(lineage["seeds"][0]["step"], 17);
    EXPECT_EQ(lineage["program_sha256"], grown->hash().hex());
    EXPECT_EQ(lineage["initial_program_sha256"], host->hash().hex());
    const auto of_another =
        lineage_json(*host, value_or_throw(read_journal(folder / "journal.jsonl")));
    ASSERT_FALSE(of_another);
    EXPECT_TRUE(of_another.error().is(GraphError::kHashMismatch));
}

}  // namespace
}  // namespace esper::core
