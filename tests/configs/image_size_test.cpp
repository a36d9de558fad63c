#include "esper/configs/image_size.h"

#include <gtest/gtest.h>

#include "esper/configs/load.h"

namespace esper::configs {
namespace {

TEST(ImageSize, ReadsASideAndTheShareFromWhichOnItHolds) {
    const auto first = ImageSize::parse("16");
    ASSERT_TRUE(first);
    EXPECT_EQ(first->pixels, 16);
    EXPECT_EQ(first->from, 0);
    const auto later = ImageSize::parse("24@32.5%");
    ASSERT_TRUE(later);
    EXPECT_EQ(later->pixels, 24);
    EXPECT_EQ(later->from, 0.325);
}

TEST(ImageSize, AnythingElseIsNone) {
    for (const char* text : {"", "0", "-16", "16.5", "5000", "@30%", "16@", "16@30", "16@100%",
                             "16@-1%", "16 @30%", "16@nan%", "30%", "16px", "16@30%@40%"})
        EXPECT_FALSE(ImageSize::parse(text)) << text;
}

std::string refusal(const std::string& sizes, const std::string& kind = "drawn") {
    const auto config =
        load_config({.overrides = {"model.host=resnet", "model.depth=8", "data.kind=" + kind,
                                   "data.resolution=" + sizes}});
    return config ? "" : config.error().message();
}

TEST(ImageSize, AScheduleIsTypedAsAList) {
    const auto config =
        load_config({.overrides = {"model.host=resnet", "model.depth=8", "data.kind=drawn",
                                   "data.resolution=16, 24@30%, 32@60%"}});
    ASSERT_TRUE(config) << config.error().message();
    const auto sizes = image_sizes(config->data.resolution);
    ASSERT_EQ(sizes.size(), 3U);
    EXPECT_EQ(sizes[1].pixels, 24);
    EXPECT_EQ(sizes[2].from, 0.6);
}

TEST(ImageSize, SizesThatAreNoScheduleAreRefusedWithWhatToDo) {
    EXPECT_NE(refusal("16@10%, 32@50%").find("nothing says what holds before 10 % of the run"),
              std::string::npos);
    EXPECT_NE(refusal("16, 24@60%, 32@30%")
                  .find("32@30% stands after 24@60%; give each size a "
                        "later share"),
              std::string::npos);
    EXPECT_NE(refusal("16, 24").find("24@0% stands after 16@0%"), std::string::npos);
    EXPECT_NE(refusal("32, 16@50%").find("images grow, and 16 pixels come after 32"),
              std::string::npos);
    EXPECT_EQ(refusal("16"), "");
}

TEST(ImageSize, ASideThatIsNoneIsNamedWithWhatIsExpected) {
    for (const auto& [sizes, came] :
         {std::pair{"0", "got the list '0'"},
          {"16, 24@30", "got the list '16, 24@30', in which '24@30' is none"},
          {"16, 24@130%", "got the list '16, 24@130%', in which '24@130%' is none"},
          {"16, 5000@50%", "in which '5000@50%' is none"}}) {
        const auto said = refusal(sizes);
        EXPECT_NE(said.find("a side from 1 to 4096 pixels, and behind @ the share of the run from "
                            "which on it holds (0% to below 100%), such as 16 or 24@30%"),
                  std::string::npos)
            << said;
        EXPECT_NE(said.find(came), std::string::npos) << said;
    }
}

TEST(ImageSize, OfDataThatAreNoImagesThereIsNone) {
    const auto text = load_config({.overrides = {"data.resolution=16, 32@50%"}});
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().message().find("data.resolution, data.kind: only images grow"),
              std::string::npos)
        << text.error().message();
}

}  // namespace
}  // namespace esper::configs
