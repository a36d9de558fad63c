#include "esper/base/name_table.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_map>
#include <vector>

namespace esper {
namespace {

/// A table with its names.
struct Names {
    std::vector<std::string> all;
    NameTable table;

    auto name_of() const {
        return [this](std::uint32_t i) { return std::string_view(all.at(i)); };
    }
    std::pair<std::uint32_t, bool> add(const std::string& name) {
        all.push_back(name);
        const auto got = table.add(name, static_cast<std::uint32_t>(all.size() - 1), name_of());
        if (!got.second) all.pop_back();
        return got;
    }
    std::optional<std::uint32_t> find(std::string_view name) const {
        return table.find(name, name_of());
    }
};

TEST(NameTable, FindsWhatWasAddedAndNothingElse) {
    Names names;
    EXPECT_EQ(names.find("a"), std::nullopt);
    EXPECT_EQ(names.add("a"), std::pair(0U, true));
    EXPECT_EQ(names.add(""), std::pair(1U, true));
    EXPECT_EQ(names.add("a"), std::pair(0U, false));
    EXPECT_EQ(names.add(std::string("a\0b", 3)), std::pair(2U, true));
    EXPECT_EQ(names.find("a"), 0U);
    EXPECT_EQ(names.find(""), 1U);
    EXPECT_EQ(names.find(std::string_view("a\0b", 3)), 2U);
    EXPECT_EQ(names.find("b"), std::nullopt);
}

TEST(NameTable, IsAMapOfManyNamesWithRoomAndWithout) {
    for (const std::size_t room : {0U, 100U, 6'000U}) {
        Names names;
        names.table.reserve(room);
        std::unordered_map<std::string, std::uint32_t> want;
        for (int i = 0; i < 9'000; ++i) {
            const auto name = "layers." + std::to_string(i * 7 % 5'000) + ".weight";
            const auto [it, fresh] =
                want.try_emplace(name, static_cast<std::uint32_t>(names.all.size()));
            ASSERT_EQ(names.add(name), std::pair(it->second, fresh)) << name;
        }
        ASSERT_EQ(want.size(), 5'000U);
        for (const auto& [name, number] : want) ASSERT_EQ(names.find(name), number) << name;
        EXPECT_EQ(names.find("layers.5000.weight"), std::nullopt);
    }
}

}  // namespace
}  // namespace esper
