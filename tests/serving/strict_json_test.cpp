#include "esper/services/serving/strict_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace esper::serving {
namespace {

TEST(StrictJson, AnObjectIsRead) {
    const auto read = strict_json_object(R"( {"a": 1, "b": {"a": [{"a": null}, {"a": "é"}]}} )");
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)["b"]["a"][1]["a"], "é");
    EXPECT_TRUE(strict_json_object("{}"));
}

TEST(StrictJson, WhatCanBeReadInTwoWaysIsNone) {
    for (const char* text :
         {R"({"a": 1, "a": 1})", R"({"a": 1, "\u0061": 2})", R"({"a": {"b": 1, "b": 2}})",
          R"({"a": [1, {"b": 1, "c": 2, "b": 3}]})", R"({"a": 1} {"a": 2})", R"({"a": 1},)",
          R"({"a": 1 /* 2 */})", R"({'a': 1})", R"({"a": 01})", R"({"a": NaN})",
          "{\"a\": \"\xff\"}", "[]", "1", "\"a\"", "null", "", "{", R"({"a": 1e999})"})
        EXPECT_FALSE(strict_json_object(text)) << text;
    EXPECT_FALSE(strict_json_object(std::string("{\"a\": 1}\0", 9)));
}

TEST(StrictJson, NestingHasALimit) {
    const auto nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_TRUE(strict_json_object(nested(10)));
    EXPECT_FALSE(strict_json_object(nested(17)));
    EXPECT_FALSE(strict_json_object(nested(100'000)));
}

}  // namespace
}  // namespace esper::serving
