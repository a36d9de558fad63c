#include "esper/base/declared_state.h"

#include <gtest/gtest.h>

namespace esper::saved {
namespace {

struct Inner {
    std::string name;
    std::optional<double> score = {};

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("name", self.name);
        visit("score", self.score);
    }
    bool operator==(const Inner&) const = default;
};

struct Outer {
    std::uint32_t count = 0;
    std::int64_t step = -1;
    bool on = false;
    std::vector<Inner> list;
    std::map<std::string, std::uint64_t> sizes;
    Json other;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("count", self.count);
        visit("step", self.step);
        visit("on", self.on);
        visit("list", self.list);
        visit("sizes", self.sizes);
        visit("other", self.other);
    }
    bool operator==(const Outer&) const = default;
};

const Outer kFull{7, -3, true, {{"a", 0.5}, {"b", {}}}, {{"x", 9}}, Json{{"free", {1, 2}}}};

TEST(DeclaredState, ComesBackAsItWasWritten) {
    Outer back;
    EXPECT_EQ(read(Json::parse(write(kFull).dump()), back), "");
    EXPECT_EQ(back, kFull);
}

TEST(DeclaredState, EveryMissingKeyIsNamed) {
    for (const auto* key : {"count", "step", "on", "list", "sizes", "other"}) {
        auto json = write(kFull);
        json.erase(key);
        Outer back;
        EXPECT_EQ(read(json, back), "'" + std::string(key) + "' is missing");
    }
}

TEST(DeclaredState, AnAbsentOptionalIsNothing) {
    auto json = write(kFull);
    json["list"][0].erase("score");
    Outer back;
    ASSERT_EQ(read(json, back), "");
    EXPECT_FALSE(back.list[0].score.has_value());
}

struct Wrong {
    const char* pointer;
    const char* value;
    const char* problem;
};

TEST(DeclaredState, AValueOfAnotherTypeIsNamedWithItsPlace) {
    for (const auto& [pointer, value, problem] :
         {Wrong{"/count", "-1", "'run.count' is -1, not a whole number of its range"},
          Wrong{"/count", "4294967296",
                "'run.count' is 4294967296, not a whole number of its range"},
          Wrong{"/count", "1.5", "'run.count' is 1.5, not a whole number of its range"},
          Wrong{"/step", "\"3\"", "'run.step' is string, not a whole number of its range"},
          Wrong{"/on", "1", "'run.on' is number, not true or false"},
          Wrong{"/list", "{}", "'run.list' is object, not a list"},
          Wrong{"/list/1", "5", "'run.list[1]' is number, not an object"},
          Wrong{"/list/1/name", "null", "'run.list[1].name' is null, not text"},
          Wrong{"/list/0/score", "[]", "'run.list[0].score' is array, not a number"},
          Wrong{"/sizes", "[]", "'run.sizes' is array, not an object"},
          Wrong{"/sizes/x", "{}", "'run.sizes.x' is object, not a whole number of its range"}}) {
        auto json = write(kFull);
        json[Json::json_pointer(pointer)] = Json::parse(value);
        Outer back;
        EXPECT_EQ(read(json, back, "run"), problem);
    }
}

TEST(DeclaredState, WhatIsNoObjectIsRefused) {
    Outer back;
    EXPECT_EQ(read(Json::array(), back), "it is array, not an object");
}

TEST(DeclaredState, AStateWithoutAVersionIsOfVersionOne) {
    EXPECT_EQ(version_of(Json::object()), 1);
    EXPECT_EQ(version_of(Json{{"version", 3}}), 3);
    EXPECT_EQ(version_of(Json{{"version", "3"}}), 0);
}

}  // namespace
}  // namespace esper::saved
