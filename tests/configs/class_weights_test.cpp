#include "esper/configs/class_weights.h"

#include <gtest/gtest.h>

#include "esper/configs/load.h"
#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

Result<EsperConfig> typed(const std::string& weights) {
    return load_config({.overrides = {"model.host=resnet", "model.depth=8", "data.kind=drawn",
                                      "optimization.class_weights=" + weights}});
}

Result<EsperConfig> written(const std::string& weights) {
    return parse_config(
               "model: {host: resnet, depth: 8}\ndata: {kind: drawn}\n"
               "optimization: {class_weights: " +
                   weights + "}\n",
               "here.yaml")
        .map([](const auto& loaded) { return loaded.config; });
}

TEST(ClassWeights, AreAWordOrAListWhereverTheyAreWritten) {
    for (const auto& read : {typed, written}) {
        EXPECT_FALSE(value_or_throw(read("none")).optimization.class_weights.is_set());
        EXPECT_TRUE(value_or_throw(read("balanced")).optimization.class_weights.balanced);
        EXPECT_EQ(value_or_throw(read("[1, 2.5, 0]")).optimization.class_weights.listed,
                  (std::vector<double>{1, 2.5, 0}));
        EXPECT_EQ(value_or_throw(read("[3]")).optimization.class_weights.listed,
                  (std::vector<double>{3}));
    }
    EXPECT_EQ(value_or_throw(typed("1,2.5,0")).optimization.class_weights.listed,
              (std::vector<double>{1, 2.5, 0}));
}

TEST(ClassWeights, AreKeptInARunsFile) {
    const auto config = value_or_throw(typed("1,2.5"));
    const auto again = value_or_throw(parse_config(to_yaml(config), "again.yaml")).config;
    EXPECT_EQ(again.optimization.class_weights, config.optimization.class_weights);
}

TEST(ClassWeights, AnythingElseIsRefusedWithWhatIsExpected) {
    for (const auto& read : {typed, written})
        for (const char* weights :
             {"some", "[]", "[1, -2]", "[0, 0]", "[1, two]", "[balanced, 1]", "[1, .inf]"}) {
            const auto config = read(weights);
            ASSERT_FALSE(config) << weights;
            EXPECT_NE(config.error().message().find("none, balanced, or a list of numbers"),
                      std::string::npos)
                << config.error().message();
        }
}

TEST(ClassWeights, OfANumberOrATextThereAreNone) {
    const auto text = load_config({.overrides = {"optimization.class_weights=balanced"}});
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().message().find("only classes and labels have weights"),
              std::string::npos)
        << text.error().message();
}

}  // namespace
}  // namespace esper::configs
