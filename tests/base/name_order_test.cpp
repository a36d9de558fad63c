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

void expect_the_order_of_the_strings(const std::vector<std::string>& names) {
    std::vector<Item> items;
    for (const auto& name : names) items.push_back({name});
    std::vector<std::uint32_t> want(items.size());
    std::iota(want.begin(), want.end(), 0U);
    std::sort(want.begin(), want.end(),
              [&](auto a, auto b) { return items[a].name < items[b].name; });
    EXPECT_EQ(order_by_name(items), want);
}

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
    for (const auto& names : cases) expect_the_order_of_the_strings(names);
}

TEST(NameOrder, IsTheOrderOfTheStringsOfManyToo) {
    std::vector<std::string> names;
    for (int i = 0; i < 3'000; ++i)
        names.push_back("layers." + std::to_string(i * 7 % 3'000) + (i % 2 ? ".weight" : ".bias"));
    expect_the_order_of_the_strings(names);
    for (auto& name : names) name.insert(0, name.size() % 2, 'x');
    expect_the_order_of_the_strings(names);
    for (auto& name : names) name.insert(7, "the.same.eight.bytes");
    expect_the_order_of_the_strings(names);
}

}  // namespace
}  // namespace esper
