// What every implementation of ports::EventLog has to pass.
#include "esper/services/ports/event_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/services/records/memory_log.h"
#include "esper/services/records/records_errors.h"
#include "esper/services/records/run_folder.h"

namespace esper::records {
namespace {

using nlohmann::json;

struct Log {
    virtual ~Log() = default;
    virtual ports::EventLog& log() = 0;
    virtual std::vector<json> kept() = 0;
};

struct InMemory final : Log {
    MemoryLog memory;
    ports::EventLog& log() override { return memory; }
    std::vector<json> kept() override { return memory.take(); }
};

struct InAFolder final : Log {
    TemporaryFolder above;
    RunFolder folder = value_or_throw(RunFolder::create(above / "run"));
    ports::EventLog& log() override { return folder; }
    std::vector<json> kept() override {
        std::vector<json> lines;
        std::string text = value_or_throw(read_file(folder.path() / "events.jsonl"));
        for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
            end = text.find('\n', begin);
            lines.push_back(json::parse(text.substr(begin, end - begin)));
        }
        return lines;
    }
};

template <typename Kind>
struct EventLogTest : ::testing::Test {
    Kind kind;
};
using Kinds = ::testing::Types<InMemory, InAFolder>;
TYPED_TEST_SUITE(EventLogTest, Kinds);

const json kReason{{"seed", "s1"}, {"anchor", "fc"}, {"reason", "it threw"}};

TYPED_TEST(EventLogTest, KeepsEventsInTheirOrderWithWhenTheyWere) {
    ASSERT_TRUE(this->kind.log().event("fault", 3, 0, kReason));
    ASSERT_TRUE(this->kind.log().event("fault", 14, 1, kReason));
    const auto kept = this->kind.kept();
    ASSERT_EQ(kept.size(), 2U);
    for (const auto& event : kept) EXPECT_EQ(event.at("event"), "fault");
    EXPECT_EQ(kept[0].at("step"), 3);
    EXPECT_EQ(kept[1].at("step"), 14);
    EXPECT_EQ(kept[1].at("epoch"), 1);
    EXPECT_EQ(kept[1].at("reason"), "it threw");
}

TYPED_TEST(EventLogTest, RefusesWhatIsNotDeclaredAndKeepsNothingOfIt) {
    const auto unknown = this->kind.log().event("no such kind", 1, 0, json::object());
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(RecordsError::kBadRecord));
    const auto without_fields = this->kind.log().event("fault", 1, 0, json::object());
    ASSERT_FALSE(without_fields);
    EXPECT_TRUE(without_fields.error().is(RecordsError::kBadRecord));
    EXPECT_TRUE(this->kind.kept().empty());
}

}  // namespace
}  // namespace esper::records
