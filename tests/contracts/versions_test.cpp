// The promises of docs/contracts.md between schema versions, tested with one type in the form of an
// old build and of a new one.
#include <gtest/gtest.h>

#include "esper/contracts/messages.h"

namespace esper::contracts {
namespace old_build {
struct Inner {
    ESPER_CONTRACT(Inner, 200, "")
    ESPER_REQUIRED(1, std::int32_t, a, any(), "")
};
struct Probe {
    ESPER_CONTRACT(Probe, 201, "")
    ESPER_REQUIRED(1, std::string, name, id(), "")
    ESPER_FIELD(2, std::vector<Inner>, list, {}, any(), "")
    ESPER_FIELD(3, std::optional<Inner>, maybe, {}, any(), "")
    using Table = std::map<std::string, Inner>;
    ESPER_FIELD(4, Table, table, {}, any(), "")
};
}  // namespace old_build

namespace new_build {
struct Inner {
    static constexpr std::uint16_t kSchemaVersion = 2;
    ESPER_CONTRACT(Inner, 200, "")
    ESPER_REQUIRED(1, std::int32_t, a, any(), "")
    ESPER_FIELD(2, double, b, 0.5, any().since(2), "")
};
struct Probe {
    static constexpr std::uint16_t kSchemaVersion = 2;
    ESPER_CONTRACT(Probe, 201, "")
    ESPER_REQUIRED(1, std::string, name, id(), "")
    ESPER_FIELD(2, std::vector<Inner>, list, {}, any(), "")
    ESPER_FIELD(3, std::optional<Inner>, maybe, {}, any(), "")
    using Table = std::map<std::string, Inner>;
    ESPER_FIELD(4, Table, table, {}, any(), "")
    ESPER_FIELD(5, std::string, note, "none", any().since(2), "")
};
}  // namespace new_build

namespace {

const old_build::Probe kOld{.name = "x",
                            .list = {{.a = -7}},
                            .maybe = old_build::Inner{.a = 1},
                            .table = {{"k", {.a = 2}}}};
const new_build::Probe kSame{.name = "x",
                             .list = {{.a = -7}},
                             .maybe = new_build::Inner{.a = 1},
                             .table = {{"k", {.a = 2}}}};

TEST(Versions, ANewBuildReadsOldTextAndBytesAndFillsInDefaults) {
    EXPECT_EQ(from_json<new_build::Probe>(*to_json(kOld)).value(), kSame);
    EXPECT_EQ(from_binary<new_build::Probe>(*to_binary(kOld)).value(), kSame);
}

TEST(Versions, ANewBuildWritesForAnOldOneExactlyWhatItWouldHaveWritten) {
    EXPECT_EQ(to_json(kSame, 1).value(), to_json(kOld).value());
    EXPECT_EQ(to_binary(kSame, 1).value(), to_binary(kOld).value());
    EXPECT_EQ(from_json<old_build::Probe>(*to_json(kSame, 1)).value(), kOld);
    EXPECT_EQ(from_binary<old_build::Probe>(*to_binary(kSame, 1)).value(), kOld);
}

TEST(Versions, AnOldBuildRefusesNewTextAndBytesAndSaysWhatToDo) {
    for (const Error& e : {from_json<old_build::Probe>(*to_json(kSame)).error(),
                           from_binary<old_build::Probe>(*to_binary(kSame)).error()}) {
        EXPECT_TRUE(e.is(ContractError::kUnknownVersion)) << e.to_string();
        EXPECT_NE(e.message().find("upgrade this program"), std::string::npos) << e.to_string();
    }
}

TEST(Versions, WritingForAnOldBuildRefusesToLoseAValueWhereverItStands) {
    const auto refuses = [](auto change, std::string_view where) {
        new_build::Probe p = kSame;
        change(p);
        const auto json = to_json(p, 1);
        const auto bytes = to_binary(p, 1);
        ASSERT_FALSE(json);
        ASSERT_FALSE(bytes);
        EXPECT_TRUE(json.error().is(ContractError::kNotRepresentable));
        EXPECT_TRUE(bytes.error().is(ContractError::kNotRepresentable));
        EXPECT_NE(json.error().message().find(where), std::string::npos) << json.error().message();
        EXPECT_EQ(from_json<new_build::Probe>(*to_json(p)).value(), p);
    };
    refuses([](auto& p) { p.note = "new"; }, "Probe.note");
    refuses([](auto& p) { p.list[0].b = 1; }, "Probe.list[0].b");
    refuses([](auto& p) { p.maybe->b = 1; }, "Probe.maybe.b");
    refuses([](auto& p) { p.table["k"].b = 1; }, "Probe.table[k].b");
}

TEST(Versions, AFieldNewerThanTheTextClaimsToBeIsUnknown) {
    const auto read = from_json<new_build::Probe>(R"({"schema":"Probe/1","name":"x","note":"y"})");
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().is(ContractError::kUnknownField));
    EXPECT_NE(read.error().message().find("since schema version 2"), std::string::npos);
}

TEST(Versions, TheSchemaFieldMayStandLastAndThenStillDecides) {
    const auto read = from_json<new_build::Probe>(
        R"({"name":"x","list":[{"a":1}],"maybe":{"a":1},"table":{"k":{"a":2}},"schema":"Probe/1"})");
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->list.size(), 1u);
    EXPECT_EQ(read->note, "none");
    EXPECT_FALSE(
        from_json<new_build::Probe>(R"({"name":"x","list":[{"a":1,"b":2}],"schema":"Probe/1"})"));
}

TEST(Versions, WithoutASchemaFieldTheNewestVersionIsMeant) {
    EXPECT_EQ(from_json<new_build::Probe>(R"({"name":"x","note":"y"})")->note, "y");
}

}  // namespace
}  // namespace esper::contracts
