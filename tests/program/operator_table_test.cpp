#include "esper/program/operators/operator_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "esper/program/operators.h"
#include "esper/program/schemas.h"
#include "esper/program/shapes.h"
#include "esper/program/text/text_format.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

bool writes(const Operator& op) { return has(op.effect, Effect::kWritesFirst); }
std::string base_of(const std::string& name) { return name.substr(0, name.find('.')); }

TEST(OperatorTable, EveryRowHasEveryColumn) {
    ASSERT_GT(operators_in_table().size(), 400U);
    for (const auto* op : operators_in_table()) {
        const auto& name = op->schema.name;
        EXPECT_EQ(find_in_table(name), op);
        EXPECT_NE(op->cost, nullptr) << name;
        EXPECT_FALSE(op->schema_text.empty()) << name;
        // Esper's own operators are not in torch.ops.
        EXPECT_TRUE(!op->python.empty() && (op->python != kBySchema || name.starts_with("aten::")))
            << name;
    }
}

TEST(OperatorTable, HoldsAWritingOperatorBesideItsPureTwinOnly) {
    for (const auto* op : operators_in_table()) {
        const auto& name = op->schema.name;
        EXPECT_EQ(writes(*op), is_in_place(name)) << name;
        if (!writes(*op)) continue;
        EXPECT_EQ(op->permission, Permission::kHosts) << name << " would write in a blueprint";
        std::string twin = name;
        twin.erase(std::min(name.find('.'), name.size()) - 1, 1);
        const auto* pure = find_in_table(twin);
        // embedding_renorm_, zero_ have no pure form.
        if (pure != nullptr) {
            EXPECT_EQ(pure->cost, op->cost) << name;
        }
    }
}

TEST(OperatorTable, MarksWhatItsSchemasMark) {
    for (const auto* op : operators_in_table()) {
        const auto& arguments = op->schema.arguments;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            EXPECT_EQ(arguments[i].is_written, i == 0 && writes(*op)) << op->schema_text;
            if (!arguments[i].is_shared) continue;
            EXPECT_EQ(i, 0U) << op->schema_text;
            EXPECT_TRUE(writes(*op) || has(op->effect, Effect::kSharesFirst)) << op->schema_text;
        }
        if (has(op->effect, Effect::kKeepsStatistics)) {
            ASSERT_GT(arguments.size(), 5U);
            EXPECT_EQ(arguments[3].name, "running_mean") << op->schema_text;
            EXPECT_EQ(arguments[4].name, "running_var") << op->schema_text;
        }
        if (has(op->effect, Effect::kDrawsIfDropping)) {
            EXPECT_EQ(arguments.at(4).name, "dropout_p") << op->schema_text;
        }
    }
}

// Two overloads of one name hash by the same rules (docs/program.md).
TEST(OperatorTable, GivesOverloadsOneEffect) {
    std::map<std::string, Effect> seen;
    for (const auto* op : operators_in_table()) {
        const auto [at, fresh] = seen.emplace(base_of(op->schema.name), op->effect);
        EXPECT_EQ(at->second, op->effect) << op->schema.name;
    }
}

TEST(OperatorTable, PermitsPureFunctionsInBlueprints) {
    std::size_t permitted = 0;
    for (const auto* op : operators_in_table()) {
        if (op->permission != Permission::kBlueprints) continue;
        ++permitted;
        EXPECT_FALSE(has(op->effect, Effect::kDraws) || has(op->effect, Effect::kKeepsStatistics))
            << op->schema.name;
        EXPECT_TRUE(
            std::any_of(op->schema.arguments.begin(), op->schema.arguments.end(),
                        [](const auto& a) { return a.type.kind == SchemaType::Kind::kTensor; }))
            << op->schema.name;
    }
    EXPECT_EQ(permitted, 60U);
}

TEST(OperatorTable, SpellsCallsWithArgumentsThatAreThere) {
    for (const auto* op : operators_in_table()) {
        std::set<std::size_t> named;
        for (std::size_t i = op->python.find('{'); i != std::string::npos;
             i = op->python.find('{', i + 1)) {
            const auto index = static_cast<std::size_t>(op->python.at(i + 1) - '0');
            EXPECT_LT(index, op->schema.arguments.size()) << op->python;
            EXPECT_NE(op->python.find('}', i), std::string::npos) << op->python;
            named.insert(index);
        }
        if (op->python == kBySchema || op->schema.name.starts_with("esper::")) continue;
        // An argument that the spelling leaves out would be lost where it is not the default.
        for (std::size_t i = 0; i < op->schema.arguments.size(); ++i) {
            const auto& argument = op->schema.arguments[i];
            if (argument.fallback || argument.name.starts_with("cudnn")) continue;
            EXPECT_TRUE(named.contains(i)) << op->python << " leaves out argument " << i;
        }
    }
}

TEST(OperatorTable, LacksWhatReachesBeyondItsTensors) {
    for (const char* name : {"aten::from_file",
                             "aten::from_file.out",
                             "aten::_print",
                             "aten::save",
                             "aten::warn",
                             "aten::set_.source_Storage",
                             "aten::set_.source_Tensor",
                             "aten::set_data",
                             "aten::resize_",
                             "aten::record_stream",
                             "aten::pin_memory",
                             "aten::_pin_memory",
                             "aten::item",
                             "aten::_local_scalar_dense",
                             "aten::_assert_async.msg",
                             "aten::to.device",
                             "aten::add.out",
                             "aten::manual_seed",
                             "aten::_copy_from",
                             "aten::quantize_per_tensor",
                             "prim::Print",
                             "prim::TupleUnpack",
                             "profiler::_record_function_enter_new",
                             "quantized::linear",
                             "c10d::broadcast_",
                             "rpc::rpc_async",
                             "mine::anything"}) {
        const auto text = std::string("esper-program 1 \"p\"\ninput x: f32[2]\n%0 = ") + name +
                          "(x)\noutput y: %0\n";
        const auto read = from_text(text);
        ASSERT_FALSE(read) << name;
        EXPECT_TRUE(read.error().is(GraphError::kForbiddenOperator)) << read.error().to_string();
        std::vector<Argument> args;
        const auto filled = fill_defaults(name, args);
        ASSERT_FALSE(filled) << name;
        EXPECT_TRUE(filled.error().is(GraphError::kForbiddenOperator)) << name;
    }
}

TEST(OperatorTable, NamesTheOverloadsThatItHas) {
    const auto known = allowed_operator("aten::add");
    ASSERT_FALSE(known);
    EXPECT_NE(known.error().message().find("aten::add.Scalar, aten::add.Tensor"), std::string::npos)
        << known.error().message();
}

Flops nothing(const CostCall&) { return {}; }

TEST(OperatorTable, TakesOperatorsFromOutside) {
    EXPECT_EQ(find_in_table("mine::scaled"), nullptr);
    ASSERT_TRUE(register_operator({"mine::scaled(Tensor x, float by=2.) -> Tensor", Effect::kPure,
                                   nothing, kBySchema, Permission::kHosts}));
    EXPECT_TRUE(
        from_text("esper-program 1 \"p\"\ninput x: f32[2]\n%0 = mine::scaled(x, 0.5)\n"
                  "output y: %0\n"));
    std::vector<Argument> args{ValueId(0)};
    ASSERT_TRUE(fill_defaults("mine::scaled", args));
    EXPECT_EQ(args[1], Argument(Constant{2.0}));
    const auto refused = [](std::string_view schema, GraphError code) {
        const auto status =
            register_operator({schema, Effect::kPure, nothing, kBySchema, Permission::kHosts});
        EXPECT_TRUE(!status && status.error().is(code)) << schema;
    };
    refused("mine::scaled(Tensor x) -> Tensor", GraphError::kDuplicateName);
    refused("aten::relu(Tensor self) -> Tensor", GraphError::kDuplicateName);
    for (const char* schema :
         {"", "relu(Tensor x) -> Tensor", "mine::f(Tensor x)", "mine::f(Tensor x -> Tensor",
          "mine::f(Tensor) -> Tensor", "mine::f(Tensor x) -> Scalar", "mine::f(Tensor x) -> ()",
          "mine::f(Tensor x) -> Tensor?", "mine::f(Tensor x, int n=) -> Tensor",
          "mine::f(Tensor x) -> Tensor and more", "mine::f(Tensor(a x) -> Tensor"})
        refused(schema, GraphError::kMalformed);
}

TEST(OperatorSchema, ReadsWhatLibtorchPrints) {
    const auto read = value_or_throw(parse_schema(
        "aten::f.x(Tensor(a -> *) self, Tensor?[] indices, SymInt[2]? size=None, int[1] d=[0, "
        "-1], *, ScalarType? dtype=None, float eps=1.0000000000000001e-05, str mode=\"none\", "
        "bool keep=True, Scalar alpha=1, MemoryFormat memory_format=0, int[2] pad=3) -> "
        "(Tensor(a)[] values, "
        "int n)"));
    EXPECT_EQ(read.name, "aten::f.x");
    ASSERT_EQ(read.arguments.size(), 11U);
    EXPECT_TRUE(read.arguments[0].is_shared && !read.arguments[0].is_written);
    EXPECT_TRUE(read.arguments[1].type.has_optional_items && read.arguments[1].type.is_list);
    EXPECT_TRUE(read.arguments[2].type.is_optional && read.arguments[2].type.is_list);
    EXPECT_EQ(read.arguments[2].type.text, "SymInt[2]?");
    EXPECT_EQ(read.arguments[3].fallback, (Constant{std::vector<std::int64_t>{0, -1}}));
    EXPECT_FALSE(read.arguments[3].keyword_only);
    EXPECT_TRUE(read.arguments[4].keyword_only);
    EXPECT_EQ(read.arguments[5].fallback, Constant{1e-5});
    EXPECT_EQ(read.arguments[6].fallback, Constant{std::string("none")});
    EXPECT_EQ(read.arguments[7].fallback, Constant{true});
    EXPECT_EQ(read.arguments[8].fallback, Constant{std::int64_t{1}});
    EXPECT_EQ(read.arguments[9].fallback, Constant{std::int64_t{0}});
    EXPECT_EQ(read.arguments[10].fallback, (Constant{std::vector<std::int64_t>{3, 3}}));
    ASSERT_EQ(read.results.size(), 2U);
    EXPECT_TRUE(read.results[0].is_list);
    EXPECT_EQ(read.results[1].kind, SchemaType::Kind::kInteger);
    EXPECT_FALSE(read.returns_list());
}

// This test binary has no engine in it.
TEST(Shapes, AreRefusedInWordsWithoutAnEngine) {
    const auto types = infer_types(*testing::small_host());
    ASSERT_FALSE(types);
    EXPECT_TRUE(types.error().is(SchemaError::kNoEngine)) << types.error().to_string();
    EXPECT_NE(types.error().message().find("esper_engine"), std::string::npos);
}

}  // namespace
}  // namespace esper::graph
