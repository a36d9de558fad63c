// Files that cannot be imported: damaged ones, hostile ones, and models that a Program cannot
// represent. Every archive here is written by hand; PyTorch is not needed.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/base/mapped_file.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/exchange/importers/zip_archive.h"
#include "exchange/zip_builder.h"

namespace esper::graph {
namespace {

using nlohmann::json;
using testing::ZipBuilder;
using testing::ZipMember;

json size(std::int64_t n) { return {{"as_int", n}}; }
json meta(std::vector<std::int64_t> shape, int dtype = 7) {
    json sizes = json::array();
    json strides = json::array();
    std::int64_t stride = 1;
    for (auto it = shape.rbegin(); it != shape.rend(); ++it) {
        strides.insert(strides.begin(), size(stride));
        stride *= *it;
    }
    for (auto n : shape) sizes.push_back(size(n));
    return {{"dtype", dtype},
            {"sizes", sizes},
            {"requires_grad", true},
            {"device", {{"type", "cpu"}, {"index", nullptr}}},
            {"strides", strides},
            {"storage_offset", size(0)},
            {"layout", 7}};
}
json tensor(const std::string& name) { return {{"as_tensor", {{"name", name}}}}; }
json argument(const std::string& name, json value) {
    return {{"name", name}, {"arg", std::move(value)}, {"kind", 1}};
}
json node(const std::string& target, json inputs, const std::string& result) {
    return {{"target", target},
            {"inputs", std::move(inputs)},
            {"outputs", {tensor(result)}},
            {"metadata", {{"nn_module_stack", "L__self__,,m.Net;L__self__fc,fc,m.Linear"}}}};
}

/// y = x · wᵀ, as torch.export writes it.
struct Model {
    json model{
        {"schema_version", {{"major", 8}, {"minor", 20}}},
        {"graph_module",
         {{"graph",
           {{"inputs", {tensor("p_w"), tensor("x")}},
            {"outputs", {tensor("y")}},
            {"nodes",
             {node("torch.ops.aten.linear.default",
                   {argument("input", tensor("x")), argument("weight", tensor("p_w"))}, "y")}},
            {"tensor_values", {{"p_w", meta({3, 2})}, {"x", meta({4, 2})}, {"y", meta({4, 3})}}}}},
          {"signature",
           {{"input_specs",
             {{{"parameter", {{"arg", {{"name", "p_w"}}}, {"parameter_name", "fc.weight"}}}},
              {{"user_input", {{"arg", tensor("x")}}}}}},
            {"output_specs", {{{"user_output", {{"arg", tensor("y")}}}}}}}},
          {"module_call_graph", json::array()}}}};
    json weights{{"config",
                  {{"fc.weight",
                    {{"path_name", "weight_0"},
                     {"is_param", true},
                     {"use_pickle", false},
                     {"tensor_meta", meta({3, 2})}}}}}};
    std::string bytes = std::string(24, '\0');
    std::string format = "pt2";

    json& graph() { return model["graph_module"]["graph"]; }
    json& first_node() { return graph()["nodes"][0]; }

    std::string archive() const {
        ZipBuilder zip;
        zip.add("net/archive_format", format);
        zip.add("net/byteorder", "little");
        zip.add("net/models/model.json", model.dump());
        zip.add("net/data/weights/model_weights_config.json", weights.dump());
        zip.add("net/data/weights/weight_0", bytes);
        return zip.finish();
    }
    Result<ImportedModel> read() const {
        // Tensors point into the archive's bytes, so something must own them.
        auto owner = std::make_shared<std::string>(archive());
        return import_pt2(*owner, owner);
    }
};

void expect_refused(const Result<ImportedModel>& read, auto code, std::string_view words) {
    ASSERT_FALSE(read) << words;
    EXPECT_TRUE(read.error().is(code)) << read.error().to_string();
    EXPECT_NE(read.error().message().find(words), std::string::npos) << read.error().to_string();
}

TEST(Pt2, ReadsAModelWrittenByHand) {
    const auto model = Model{}.read();
    ASSERT_TRUE(model) << model.error().to_string();
    EXPECT_EQ(model->program->parameters()[0].name, "fc.weight");
    EXPECT_EQ(model->program->instructions()[0].op, "aten::linear");
    EXPECT_EQ(model->program->outputs()[0].name, "output");
}

TEST(Pt2, TakesNewerMinorVersionsAndRefusesOtherMajors) {
    Model model;
    model.model["schema_version"]["minor"] = 99;
    EXPECT_TRUE(model.read());
    model.model["schema_version"]["major"] = 9;
    expect_refused(model.read(), GraphError::kWrongVersion, "schema 9.99");
}

TEST(Pt2, NeverUnpickles) {
    Model model;
    model.weights["config"]["fc.weight"]["use_pickle"] = true;
    expect_refused(model.read(), ImportError::kUnsupported, "pickled");
    ZipBuilder old;
    old.add("serialized_exported_program.json", "{}");
    old.add("serialized_state_dict.pt", "pickle");
    expect_refused(import_pt2(old.finish(), nullptr), GraphError::kWrongVersion, "before 2.8");
}

TEST(Pt2, RefusesWhatIsNoArchiveOfTorchExport) {
    expect_refused(import_pt2("", nullptr), GraphError::kMalformed, "end record");
    expect_refused(import_pt2("not a zip at all, just text", nullptr), GraphError::kMalformed,
                   "end record");
    ZipBuilder zip;
    zip.add("a.txt", "hello");
    expect_refused(import_pt2(zip.finish(), nullptr), ImportError::kUnsupported,
                   "not one of torch.export.save");
    Model model;
    model.format = "pt3";
    expect_refused(model.read(), ImportError::kUnsupported, "'pt3'");
    EXPECT_TRUE(import_pt2(std::filesystem::path("/nowhere.pt2")).error().is(FileError::kNotFound));
}

TEST(Pt2, RefusesCompressedEncryptedAndMisplacedMembers) {
    const auto one = [](const ZipMember& member) {
        ZipBuilder zip;
        zip.add(member);
        return ZipArchive::open(zip.finish());
    };
    const auto expect = [](const Result<ZipArchive>& got, auto code) {
        ASSERT_FALSE(got);
        EXPECT_TRUE(got.error().is(code)) << got.error().to_string();
    };
    expect(one({"a", "xx", 8}), ImportError::kUnsupported);
    expect(one({"a", "xx", 0, 1}), ImportError::kUnsupported);
    expect(one({"a", "xx", 0, 0, 1000}), GraphError::kMalformed);
    expect(one({"a", "xx", 0, 0, 0, 77}), GraphError::kMalformed);
    ZipBuilder twins;
    twins.add("a", "1");
    twins.add("a", "2");
    expect(ZipArchive::open(twins.finish()), GraphError::kMalformed);
    // Two names for the same bytes make a small file look like a large one.
    ZipBuilder overlap;
    overlap.add("a", std::string(40, 'x'));
    overlap.add({"b", std::string(40, 'x'), 0, 0, 0, static_cast<std::uint32_t>(-104)});
    expect(ZipArchive::open(overlap.finish()), GraphError::kMalformed);
}

TEST(Pt2, RefusesADirectoryThatClaimsTooMuch) {
    auto bytes = Model{}.archive();
    const auto end = bytes.size() - 22;
    for (const auto at : {10U, 8U}) {
        bytes[end + at] = '\xff';
        bytes[end + at + 1] = '\xff';
    }
    expect_refused(import_pt2(bytes, nullptr), GraphError::kTooLarge, "members");
}

TEST(Pt2, SeesEveryCutAndFlippedByteThatMatters) {
    const auto whole = Model{}.archive();
    for (std::size_t length = 0; length < whole.size(); length += 37)
        EXPECT_FALSE(import_pt2(std::string_view(whole).substr(0, length), nullptr)) << length;
    std::mt19937 random(1);
    for (int i = 0; i < 300; ++i) {
        auto bytes = whole;
        bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
        const auto read = import_pt2(bytes, nullptr);
        // A flipped bit in padding or a time stamp changes nothing.
        if (!read) continue;
        EXPECT_EQ(read->program->hash(), Model{}.read()->program->hash());
    }
    auto damaged = whole;
    damaged[whole.find("linear")] = 'L';
    expect_refused(import_pt2(damaged, nullptr), GraphError::kHashMismatch, "damaged");
}

TEST(Pt2, RefusesWeightsThatDoNotFitTheirBytes) {
    const auto with = [](const std::function<void(json&)>& change) {
        Model model;
        change(model.weights["config"]["fc.weight"]);
        return model.read();
    };
    const auto expect = [&](const std::function<void(json&)>& change) {
        expect_refused(with(change), GraphError::kMalformed, "");
    };
    expect([](json& w) { w["tensor_meta"] = meta({300, 2}); });
    expect([](json& w) { w["tensor_meta"]["storage_offset"] = size(1); });
    expect([](json& w) { w["tensor_meta"]["storage_offset"] = size(-1); });
    expect([](json& w) { w["tensor_meta"]["strides"][0] = size(std::int64_t{1} << 62); });
    expect([](json& w) { w["tensor_meta"]["sizes"][0] = size(std::int64_t{1} << 60); });
    expect([](json& w) { w["tensor_meta"]["strides"].erase(0); });
    expect([](json& w) { w["path_name"] = "../../etc/passwd"; });
    expect([](json& w) { w.erase("use_pickle"); });
    expect_refused(with([](json& w) { w["tensor_meta"]["dtype"] = 10; }), ImportError::kUnsupported,
                   "complex");
    expect_refused(with([](json& w) { w["tensor_meta"]["layout"] = 2; }), ImportError::kUnsupported,
                   "sparse");
}

TEST(Pt2, NamesWhatAGraphGetsWrong) {
    const auto expect = [](const std::function<void(Model&)>& change, auto code,
                           std::string_view words) {
        Model model;
        change(model);
        expect_refused(model.read(), code, words);
    };
    expect([](Model& m) { m.first_node()["target"] = "torch.ops.aten.liner.default"; },
           GraphError::kUnknownOperator, "liner");
    expect([](Model& m) { m.first_node()["target"] = "torch.ops.aten.from_file.default"; },
           GraphError::kForbiddenOperator, "from_file");
    for (const char* target : {"set_.source_Tensor", "resize_.default", "_print.default", "add.out",
                               "logcumsumexp.default"})
        expect(
            [&](Model& m) { m.first_node()["target"] = std::string("torch.ops.aten.") + target; },
            GraphError::kForbiddenOperator, std::string_view(target, 3));
    expect([](Model& m) { m.first_node()["target"] = "torch.ops.mine.linear.default"; },
           GraphError::kForbiddenOperator, "mine::linear");
    expect([](Model& m) { m.first_node()["target"] = "torch.ops.higher_order.cond"; },
           ImportError::kUnsupported, "sub-graphs");
    expect([](Model& m) { m.first_node()["target"] = "os.system"; }, ImportError::kUnsupported,
           "os.system");
    expect([](Model& m) { m.first_node()["inputs"][0]["name"] = "inptu"; },
           GraphError::kBadArguments, "input");
    expect([](Model& m) { m.first_node()["inputs"][0]["arg"] = tensor("z"); },
           GraphError::kUndefinedValue, "'z'");
    expect(
        [](Model& m) {
            m.first_node()["inputs"][0]["arg"] = {{"as_int", 3}};
        },
        GraphError::kBadArguments, "input");
    expect(
        [](Model& m) {
            m.first_node()["inputs"][0]["arg"] = {{"as_magic", 3}};
        },
        ImportError::kUnsupported, "as_magic");
    expect([](Model& m) { m.first_node()["inputs"][0]["arg"] = 5; }, GraphError::kMalformed, "as_");
    expect(
        [](Model& m) {
            m.first_node()["outputs"] = {tensor("y"), tensor("z")};
        },
        GraphError::kBadArguments, "results");
    expect(
        [](Model& m) {
            m.graph()["outputs"] = json::array();
            m.graph()["nodes"] = 3;
        },
        GraphError::kMalformed, "export schema");
    expect([](Model& m) { m.graph()["inputs"].erase(0); }, GraphError::kMalformed, "signature");
    expect([](Model& m) { m.model["graph_module"].erase("signature"); }, GraphError::kMalformed,
           "signature");
    expect([](Model& m) { m.model = json::array(); }, GraphError::kMalformed, "JSON object");
}

TEST(Pt2, AnswersHostileJsonWithAnError) {
    for (const auto& text : {std::string(100'000, '['), std::string("{\"a\":") + "1e999999}",
                             std::string("\xff\xfe"), std::string("{")}) {
        ZipBuilder zip;
        zip.add("archive_format", "pt2");
        zip.add("models/model.json", text);
        EXPECT_FALSE(import_pt2(zip.finish(), nullptr));
    }
}

TEST(Pt2, ReadsOlderNamesOfTheWeightsAndAsksWhichModelIsMeant) {
    Model model;
    ZipBuilder zip;
    zip.add("archive_format", "pt2");
    zip.add("models/first.json", model.model.dump());
    zip.add("data/weights/first_model_param_config.json", model.weights.dump());
    zip.add("data/weights/weight_0", model.bytes);
    const auto one = zip.finish();
    EXPECT_TRUE(import_pt2(one, nullptr));
    zip.add("models/second.json", model.model.dump());
    const auto two = zip.finish();
    expect_refused(import_pt2(two, nullptr), GraphError::kUnknownName, "first, second");
    ImportOptions options;
    options.model = "first";
    EXPECT_TRUE(import_pt2(two, nullptr, options));
    options.model = "third";
    expect_refused(import_pt2(two, nullptr, options), GraphError::kUnknownName, "third");
}

TEST(Pt2, WritesToWeightsNeverReachTheFile) {
    const TemporaryFolder folder;
    const auto path = folder / "mapped.pt2";
    const auto before = Model{}.archive();
    ASSERT_TRUE(write_file_atomic(path, before));
    {
        auto model = value_or_throw(import_pt2(path));
        model.tensors.at("fc.weight").fill_(7);
        EXPECT_EQ(model.tensors.at("fc.weight").sum().item<float>(), 42);
    }
    EXPECT_EQ(value_or_throw(read_file(path)), before);
    EXPECT_FALSE(MappedFile::open("/tmp"));
}

}  // namespace
}  // namespace esper::graph
