#include "esper/program/input_size.h"

#include <gtest/gtest.h>

#include <array>

#include "esper/core/hosts/host.h"
#include "esper/program/builder.h"
#include "esper/program/cost/cost.h"
#include "esper/program/layers.h"

namespace esper::core {
namespace {

using namespace graph;
using Sizes = std::array<std::int64_t, 3>;

ProgramPtr host(const std::string& kind, std::int64_t depth) {
    return value_or_throw(make_host({.kind = kind,
                                     .depth = depth,
                                     .width = 4,
                                     .classes = 10,
                                     .channels = 3,
                                     .image_size = 32}));
}

TEST(InputSize, ANetworkThatPoolsGloballyTakesOthersAndCostsLess) {
    const auto resnet = host("resnet", 8);
    EXPECT_TRUE(check_input_size(*resnet, Sizes{3, 16, 16}));
    EXPECT_TRUE(check_input_size(*resnet, Sizes{3, 20, 28}));
    const auto half = value_or_throw(with_input_size(*resnet, Sizes{3, 16, 16}));
    EXPECT_EQ(half->inputs()[0].type.shape, (std::vector<std::int64_t>{-1, 3, 16, 16}));
    const auto whole_cost = value_or_throw(count_cost(*resnet)).training_flops;
    const auto half_cost = value_or_throw(count_cost(*half)).training_flops;
    EXPECT_NEAR(static_cast<double>(half_cost) / static_cast<double>(whole_cost), 0.25, 0.01);
}

TEST(InputSize, ALayerThatSeesEveryPixelIsNamed) {
    const auto refused = check_input_size(*host("mlp", 2), Sizes{3, 16, 16});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(GraphError::kShapeMismatch)) << refused.error().to_string();
}

TEST(InputSize, AnImageThatPoolingLeavesNothingOfIsRefused) {
    EXPECT_FALSE(check_input_size(*host("vgg", 8), Sizes{3, 16, 16}));
}

TEST(InputSize, AFlatteningThatTakesItsRowsFromTheBatchGivesItselfAway) {
    ProgramBuilder b("flattening");
    const auto x = b.input("x", {DType::kFloat32, {-1, 1, 4, 4}});
    b.output("logits", b.call("aten::reshape", {x, ints({-1, 4})}));
    const auto program = value_or_throw(b.finish());
    const auto refused = check_input_size(*program, Sizes{1, 2, 2});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("its output 'logits' becomes f32[3, 4]"),
              std::string::npos)
        << refused.error().message();
}

TEST(InputSize, AProgramWithoutAnInputHasNone) {
    ProgramBuilder b("none");
    b.output("y", b.parameter("w", {DType::kFloat32, {2}}, {}));
    const auto refused = with_input_size(*value_or_throw(b.finish()), Sizes{3, 8, 8});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(GraphError::kUnknownName));
}

}  // namespace
}  // namespace esper::core
