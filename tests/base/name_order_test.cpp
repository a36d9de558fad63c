#include "esper/base/name_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

namespace esper {
namespace {

struct Item {
    std::string name;
};

TEST(NameOrder, IsTheOrderOfTheStrings) {
    const std::vector<std::vector<std::string>> cases{
        {},
        {"one"},
        {"b", "a", ""},
        {"layers.10.weight", "layers.2.weight", "layers.1.weight", "layers.", "layers"},
        {"same.eight.bytes.b", "same.eight.bytes.a", "same.eight", "other"},
        {"x.12345678b", "x.12345678", "x.12345678a", "x.1234567"},
        {std::string("n\0b", 3), std::string("n\0", 2), "n", std::string("n\0a", 3)},
        {"é", "z", "É", "a"},
    };
    for (const auto& names : cases) {
        std::vector<Item> items;
        for (const auto& name : names) items.push_back({name});
        std::vector<std::uint32_t> want(items.size());
        std::iota(want.begin(), want.end(), 0U);
        std::sort(want.begin(), want.end(),
                  [&](auto a, auto b) { return items[a].name < items[b].name; });
        EXPECT_EQ(order_by_name(items), want);
    }
}

}  // namespace
}  // namespace esper
