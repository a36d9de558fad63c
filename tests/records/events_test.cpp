#include "esper/services/records/events.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/services/records/run_files.h"

namespace esper::records {
namespace {

using nlohmann::json;

const char* const kSample =
    R"({"event":"sample","step":4,"epoch":1,"when":"at the end","text":"To be"})";

json of_type(FieldType type) {
    switch (type) {
        case FieldType::kText:
            return "x";
        case FieldType::kInteger:
            return 1;
        case FieldType::kNumber:
            return 0.5;
        case FieldType::kBoolean:
            return true;
        case FieldType::kObject:
            return json::object();
        case FieldType::kList:
            return json::array();
    }
    return {};
}

TEST(Events, AreReadAsTheyWereWritten) {
    const auto event = value_or_throw(Event::parse(kSample));
    EXPECT_TRUE(event.is("sample"));
    EXPECT_EQ(event.step(), 4);
    EXPECT_EQ(event.epoch(), 1);
    EXPECT_EQ(event.text("text"), "To be");
    EXPECT_EQ(event.text("nothing"), "");
    EXPECT_EQ(event.content(), json::parse(kSample));
}

TEST(Events, EachFieldOfEachKindIsAskedFor) {
    for (const auto& kind : event_kinds()) {
        json whole{{"event", kind.name}, {"step", 1}, {"epoch", 0}};
        for (const auto& field : kind.fields) whole[std::string(field.name)] = of_type(field.type);
        EXPECT_TRUE(Event::make(whole)) << kind.name;
        for (const auto& field : kind.fields) {
            const std::string name(field.name);
            auto less = whole;
            less.erase(name);
            const auto made = Event::make(less);
            EXPECT_EQ(made.has_value(), !field.required) << kind.name << "." << name;
            if (!made) {
                EXPECT_TRUE(made.error().is(RecordsError::kBadRecord));
                EXPECT_NE(made.error().message().find("'" + name + "'"), std::string::npos);
            }
            auto wrong = whole;
            wrong[name] = field.type == FieldType::kObject ? json::array() : json::object();
            EXPECT_FALSE(Event::make(wrong)) << kind.name << "." << name;
        }
    }
}

TEST(Events, AnUnknownKindIsNamedWithTheNearest) {
    const auto made = Event::parse(R"({"event":"smaple","step":1,"epoch":0})");
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message().find("did you mean 'sample'"), std::string::npos)
        << made.error().message();
}

TEST(Events, HostileLinesAreErrors) {
    const std::string deep = R"({"event":"sample","step":1,"epoch":0,"when":"x","text":"x","a":)" +
                             std::string(100'000, '[') + std::string(100'000, ']') + "}";
    for (const std::string& line : {deep, std::string("[]"), std::string("\xff"), std::string("{"),
                                    std::string(R"({"event":1,"step":1,"epoch":0})"),
                                    std::string(R"({"event":"sample","step":1.5,"epoch":0})")}) {
        const auto made = Event::parse(line);
        ASSERT_FALSE(made);
        EXPECT_TRUE(made.error().is(RecordsError::kBadRecord));
    }
}

TEST(Events, ABadLineIsNamedByItsNumberAndATornLastOneIsPassedOver) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "events.jsonl";
    std::ofstream(file) << kSample << "\n"
                        << R"({"event":"sam)";
    EXPECT_EQ(value_or_throw(read_events(folder.path())).size(), 1U);
    std::ofstream(file) << kSample << "\n"
                        << R"({"event":"sample","step":2,"epoch":0})"
                        << "\n";
    const auto read = read_events(folder.path());
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message().find("line 2"), std::string::npos) << read.error().message();
    EXPECT_NE(read.error().message().find("'when'"), std::string::npos) << read.error().message();
}

TEST(Metrics, AreTypedAndBadCellsAreNamed) {
    const auto rows =
        value_or_throw(parse_metrics("epoch,step,val_loss,new\n1,10,2.5,7\n2,20,nan,\n3,"));
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].step, 10);
    EXPECT_EQ(rows[0].val_loss, 2.5);
    EXPECT_EQ(rows[1].val_loss, std::nullopt);
    EXPECT_EQ(rows[1].seconds, std::nullopt);
    for (const auto* text : {"epoch,step\n1\n", "epoch,step\n1,x\n", "epoch,step\n,1\n",
                             "epoch,step\n1e300,1\n", "epoch,step,val_loss\n1,2,<b>\n"}) {
        const auto bad = parse_metrics(text);
        ASSERT_FALSE(bad) << text;
        EXPECT_TRUE(bad.error().is(RecordsError::kBadRecord));
        EXPECT_NE(bad.error().message().find("line 2"), std::string::npos);
    }
}

TEST(RunJson, AFieldOfAnotherTypeIsAnErrorAndNeverAnException) {
    const TemporaryFolder folder;
    const auto put = [&](const std::string& text) {
        std::ofstream(folder.path() / "run.json") << text;
        return read_run_json(folder.path());
    };
    EXPECT_TRUE(put(R"({"status":"done","name":"a","steps":3})"));
    for (const auto* text :
         {"[]", "", "{", R"({"status":"done"})", R"({"status":1,"name":"a"})",
          R"({"status":"done","name":"a","steps":"<img src=x onerror=alert(1)>"})",
          R"({"status":"done","name":"a","seeds":[]})"}) {
        const auto run = put(text);
        ASSERT_FALSE(run) << text;
        EXPECT_TRUE(run.error().is(RecordsError::kBadRecord)) << run.error().to_string();
    }
}

}  // namespace
}  // namespace esper::records
