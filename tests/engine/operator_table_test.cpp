// The table of operators against the installed libtorch: schemas, defaults, and that the shape
// found by looking at a call is the shape that the call gives.

#include "esper/program/operators/operator_table.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/operator_samples.h"
#include "esper/engine/interpreter.h"
#include "esper/engine/memory/allocation_watch.h"
#include "esper/engine/operators/operator_library.h"
#include "esper/engine/torch_compat.h"
#include "esper/program/shapes.h"

namespace esper::graph {
namespace {

using testing::SampleCall;

/// The table as it stands in the tree, without what a test here registers.
std::vector<const Operator*> rows() {
    auto all = operators_in_table();
    std::erase_if(all, [](const auto* op) {
        return op->schema.name == "mine::lacking" || op->schema.name == "aten::erfinv";
    });
    return all;
}

TEST(OperatorTable, CallsNothingThatLibtorchHasInAnotherForm) {
    const auto cost = find_in_table("aten::relu")->cost;
    ASSERT_TRUE(register_operator(
        {"mine::lacking(Tensor x) -> Tensor", Effect::kPure, cost, kBySchema, Permission::kHosts}));
    ASSERT_TRUE(register_operator({"aten::erfinv(Tensor self, int n) -> Tensor", Effect::kPure,
                                   cost, kBySchema, Permission::kHosts}));
    const auto expect_unknown = [](std::string_view op, std::string_view words) {
        const auto handle = find_program_operator(op);
        ASSERT_FALSE(handle) << op;
        EXPECT_TRUE(handle.error().is(GraphError::kUnknownOperator)) << handle.error().to_string();
        EXPECT_NE(handle.error().message().find(words), std::string::npos)
            << handle.error().message();
    };
    expect_unknown("mine::lacking", "installed libtorch");
    expect_unknown("aten::erfinv", "aten::erfinv(Tensor self, int n) -> Tensor was expected");
    const auto program =
        value_or_throw(from_text("esper-program 1 \"p\"\ninput x: f32[2]\n%0 = aten::erfinv(x, 3)\n"
                                 "output y: %0\n"));
    EXPECT_FALSE(Interpreter::make(program, false));
    EXPECT_FALSE(infer_types(*program));
}

TEST(OperatorTable, HasTheSchemasOfTheInstalledLibtorch) {
    for (const auto* op : rows()) {
        const auto handle = find_program_operator(op->schema.name);
        ASSERT_TRUE(handle) << handle.error().to_string();
        EXPECT_EQ(c10::toString(handle->schema()), op->schema_text);
        const auto& theirs = handle->schema().arguments();
        ASSERT_EQ(theirs.size(), op->schema.arguments.size()) << op->schema_text;
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            const auto& ours = op->schema.arguments[i];
            EXPECT_EQ(ours.name, theirs[i].name());
            EXPECT_EQ(ours.keyword_only, theirs[i].kwarg_only()) << op->schema_text;
            ASSERT_EQ(ours.fallback.has_value(), theirs[i].default_value().has_value())
                << op->schema_text;
            if (!ours.fallback) continue;
            const auto fallback = default_argument(handle->schema(), i);
            ASSERT_TRUE(fallback) << op->schema_text << ": " << ours.name;
            EXPECT_EQ(*fallback, Argument(*ours.fallback)) << op->schema_text << ": " << ours.name;
        }
    }
}

/// What the call gives for zeros when it is run; nothing if libtorch does not take it.
std::optional<std::vector<TensorType>> types_by_running(const ProgramPtr& program) {
    at::NoGradGuard no_grad;
    const auto interpreter = Interpreter::make(program, false);
    if (!interpreter) return std::nullopt;
    Interpreter::Bindings bindings;
    for (const auto& p : program->parameters())
        bindings.parameters.push_back(at::zeros(p.type.shape, to_scalar_type(p.type.dtype)));
    const auto values = interpreter->run(bindings);
    if (!values) return std::nullopt;
    std::vector<TensorType> types;
    for (const auto& value : *values) {
        const auto dtype = from_scalar_type(value.scalar_type());
        if (!dtype) return std::nullopt;
        types.push_back({*dtype, value.sizes().vec()});
    }
    return types;
}

bool gives_tensors(const Operator& op) {
    return op.schema.results[0].kind == SchemaType::Kind::kTensor;
}

struct Outcome {
    int compared = 0;
    int tried = 0;
};

// Every call that libtorch takes must have been looked at without memory, with the same result.
void compare(const std::string& text, const Operator& op, Outcome& outcome) {
    ++outcome.tried;
    const auto program = from_text(text);
    if (!program) return;
    const auto run = types_by_running(*program);
    if (!run) return;
    ++outcome.compared;
    AllocationWatch watch;
    const auto looked = infer_types(**program);
    EXPECT_LE(watch.largest(), 64) << text;
    EXPECT_TRUE(looked) << looked.error().to_string() << "\n" << text;
    if (!looked) return;
    const auto& results = (*program)->instructions()[0].results;
    for (std::size_t i = 0; i < results.size(); ++i)
        EXPECT_EQ(to_string((*looked)[results[i].value()]), to_string((*run)[i]))
            << op.schema.name << " in\n"
            << text;
}

TEST(OperatorTable, GivesByLookingWhatRunningGives) {
    std::vector<std::string> without;
    for (const auto* op : rows()) {
        if (!gives_tensors(*op)) continue;
        std::mt19937 random(static_cast<unsigned>(std::hash<std::string>{}(op->schema.name)));
        Outcome outcome;
        const bool hard = testing::hard_calls().contains(op->schema.name);
        const int lists[] = {2, 1, 3, 4, 8};
        for (int i = 0; i < (hard ? 60 : 1500) && outcome.compared < 4; ++i) {
            SampleCall call(*op, random);
            call.results = op->schema.returns_list() ? lists[i % 5]
                                                     : static_cast<int>(op->schema.results.size());
            compare(hard && i == 0 ? call.hard() : call.random(), *op, outcome);
        }
        if (outcome.compared == 0) without.push_back(op->schema.name);
    }
    EXPECT_TRUE(without.empty()) << without.size()
                                 << " operators have no sample; first: " << without.front();
    for (const auto& name : without) std::printf("no sample: %s\n", name.c_str());
}

}  // namespace
}  // namespace esper::graph
