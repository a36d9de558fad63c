#include "esper/services/tolaria/data/table_dataset.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/temporary_folder.h"
#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/prefetching_loader.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

CsvTable parsed(std::string text, bool skip = false) {
    auto table = parse_csv(std::move(text), skip);
    EXPECT_TRUE(table) << table.error().message();
    return table ? std::move(*table) : CsvTable{};
}

TEST(Csv, QuotesHoldDelimitersLineEndsAndQuotes) {
    const auto table = parsed("name,\"a,b\",n\r\n\"x\ny\",\"he said \"\"so\"\"\",1\r\nz,,2\r\n");
    EXPECT_EQ(table.names, (std::vector<std::string>{"name", "a,b", "n"}));
    EXPECT_EQ(table.columns[0][0], "x\ny");
    EXPECT_EQ(table.columns[1][0], "he said \"so\"");
    EXPECT_EQ(table.columns[1][1], "");
    EXPECT_EQ(table.lines, (std::vector<std::uint64_t>{2, 4}));
}

TEST(Csv, TheDelimiterIsWhatTheFirstLineHasMostOf) {
    EXPECT_EQ(parsed("a;b,c;d\n1;2;3\n4;5;6\n").columns.size(), 3U);
    EXPECT_EQ(parsed("a\tb\n1\t2\n3\t4\n").delimiter, '\t');
}

TEST(Csv, AFirstLineWithANumberIsNoHeader) {
    const auto table = parsed("1,iris\n2,rose\n3,iris\n");
    EXPECT_FALSE(table.has_header);
    EXPECT_EQ(table.rows(), 3U);
    EXPECT_EQ(table.names[1], "column2");
}

TEST(Csv, NamesThatAreAlikeOrMissingAreNamesStill) {
    // As a table with a comma at the end of each line has them.
    const auto table = parsed("a,b,a,,a,a.1,\n1,x,2,,3,4,\n5,y,6,,7,8,\n");
    EXPECT_TRUE(table.has_header);
    EXPECT_EQ(table.names,
              (std::vector<std::string>{"a", "b", "a.2", "column4", "a.3", "a.1", "column7"}));
    EXPECT_EQ(table.rows(), 2U);
    EXPECT_EQ(table.renamed, (std::vector<std::string>{"a.2", "a.3"}));
}

TEST(Csv, AFirstLineWhoseValuesComeAgainIsNoHeader) {
    const auto table = parsed("p,x,p,\ne,x,s,n\np,f,s,n\n");
    EXPECT_FALSE(table.has_header);
    EXPECT_EQ(table.names.back(), "column4");
    EXPECT_EQ(table.columns[0], (std::vector<std::string_view>{"p", "e", "p"}));
    EXPECT_EQ(table.columns[3], (std::vector<std::string_view>{"", "n", "n"}));
    EXPECT_EQ(table.lines, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Csv, AByteOrderMarkAndAMissingLastLineEndAreNoCells) {
    const auto table = parsed(
        "\xEF\xBB\xBF"
        "a,b\n1,2\n3,4");
    EXPECT_EQ(table.names[0], "a");
    EXPECT_EQ(table.columns[1][1], "4");
    EXPECT_EQ(parsed("a,b\n1,2\n3,").columns[1][1], "");
}

TEST(Csv, RowsOfAnotherLengthAreNamedOrLeftOut) {
    const auto refused = parse_csv("a,b\n1,2\n3\n4,5\n", false);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DataError::kCorrupt));
    EXPECT_NE(refused.error().message().find("line 3 has 1 cells"), std::string::npos);
    const auto table = parsed("a,b\n1,2\n3\n4,5\n6,\"7\n", true);
    EXPECT_EQ(table.skipped, 2U);
    EXPECT_EQ(table.rows(), 2U);
}

TEST(Csv, WhatIsNoTableIsRefused) {
    for (const char* text : {"", "one\ntwo\n", "a,b\n", "a,b\n1,2\n"}) {
        const auto table = parse_csv(text, false);
        ASSERT_FALSE(table) << text;
        EXPECT_TRUE(table.error().is(DataError::kTooSmall)) << text;
    }
}

class TableFile : public testing::Test {
  protected:
    Result<std::shared_ptr<const Dataset>> open(const std::string& text,
                                                TableOptions options = {}) {
        std::ofstream(path_, std::ios::binary) << text;
        options.path = path_;
        return open_table(options);
    }
    TemporaryFolder temporary_;
    fs::path path_ = temporary_ / "table.csv";
};

std::string rows_of(int count, const std::function<std::string(int)>& row) {
    std::string text;
    for (int i = 0; i < count; ++i) text += row(i) + "\n";
    return text;
}

TEST_F(TableFile, NumbersAreStandardisedByTheTrainPart) {
    const auto set = open("x,c,y\n" + rows_of(200, [](int i) {
                              return fmt::format("{},{},{}", 100 + i % 10, i % 2 ? "p" : "q",
                                                 i % 2 ? "yes" : "no");
                          }));
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_EQ((*set)->info().input_shape, (std::vector<std::int64_t>{3}));
    Batch batch;
    for (std::uint32_t i = 0; i < (*set)->size(Part::kTrain); ++i) batch.indices.push_back(i);
    ASSERT_TRUE(fill_batch(**set, Part::kTrain, std::nullopt, batch));
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        sum += batch.pixels[3 * i];
        squares += batch.pixels[3 * i] * batch.pixels[3 * i];
        // One input for each category; the classes are sorted, no before yes.
        EXPECT_EQ(batch.pixels[3 * i + 1], batch.targets[i] == 1 ? 1.0F : 0.0F);
        EXPECT_EQ(batch.pixels[3 * i + 2], batch.targets[i] == 0 ? 1.0F : 0.0F);
    }
    const auto n = static_cast<double>(batch.indices.size());
    EXPECT_NEAR(sum / n, 0, 1e-5);
    EXPECT_NEAR(squares / n, 1, 1e-5);
}

TEST_F(TableFile, WhatAReaderShouldLookAtIsSaid) {
    const auto set = open("day,day,late,word,y\n" + rows_of(100, [](int i) {
                              return fmt::format("2026-11-{:02},{}.11.2026 10:00,{},{},{}",
                                                 1 + i % 9, 10 + i % 5, i % 3 ? "2026/01/02" : "",
                                                 i % 4 ? "2026-11-30" : "soon", i % 2 ? "p" : "q");
                          }));
    ASSERT_TRUE(set) << set.error().message();
    std::string notes;
    for (const auto& note : (*set)->info().notes) notes += note + "\n";
    for (const char* column : {"'day'", "'day.1'", "'late'"})
        EXPECT_NE(notes.find(fmt::format("column {} holds dates", column)), std::string::npos)
            << notes;
    EXPECT_EQ(notes.find("column 'word'"), std::string::npos) << notes;
    EXPECT_NE(notes.find("column 'day.1' is called so here"), std::string::npos) << notes;
}

TEST_F(TableFile, AMissingNumberIsTheMeanAndSaysSo) {
    const auto set = open("x,y\n" + rows_of(100, [](int i) {
                              return fmt::format("{},{}", i % 4 == 0 ? "NA" : std::to_string(i % 7),
                                                 i % 2 ? "yes" : "no");
                          }));
    ASSERT_TRUE(set) << set.error().message();
    ASSERT_EQ((*set)->info().input_shape, (std::vector<std::int64_t>{2}));
    Batch batch;
    for (std::uint32_t i = 0; i < (*set)->size(Part::kTrain); ++i) batch.indices.push_back(i);
    ASSERT_TRUE(fill_batch(**set, Part::kTrain, std::nullopt, batch));
    int missing = 0;
    for (std::size_t i = 0; i < batch.indices.size(); ++i)
        if (batch.pixels[2 * i + 1] == 1.0F) {
            ++missing;
            EXPECT_EQ(batch.pixels[2 * i], 0.0F);
        }
    EXPECT_GT(missing, 10);
}

TEST_F(TableFile, ANumberIsPredictedInStandardUnits) {
    const auto set = open("x,y\n" + rows_of(300, [](int i) {
                              return fmt::format("{},{}", i % 50, 1000 + 3 * (i % 50));
                          }));
    ASSERT_TRUE(set) << set.error().message();
    const auto& info = (*set)->info();
    EXPECT_EQ(info.task, Task::kRegression);
    EXPECT_EQ(info.classes, 1);
    Batch batch;
    batch.indices = {0, 1, 2, 3};
    ASSERT_TRUE(fill_batch(**set, Part::kTrain, std::nullopt, batch));
    for (const float value : batch.values) {
        const double y = value * info.target_deviation + info.target_mean;
        EXPECT_NEAR(y, std::round(y), 1e-2);
        EXPECT_GE(y, 999);
    }
}

TEST_F(TableFile, WholeNumbersOfFewKindsAreClassesUnlessAskedOtherwise) {
    const auto text =
        "x,y\n" + rows_of(200, [](int i) { return fmt::format("{},{}", i % 31, i % 4); });
    EXPECT_EQ((*open(text))->info().class_names, (std::vector<std::string>{"0", "1", "2", "3"}));
    EXPECT_EQ((*open(text, {.task = Task::kRegression}))->info().task, Task::kRegression);
}

TEST_F(TableFile, AnEmptyLastColumnIsNotWhatIsPredicted) {
    const auto set = open("x,y,\n" + rows_of(200, [](int i) {
                              return fmt::format("{},{},", i % 31, i % 2 ? "yes" : "no");
                          }));
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_EQ((*set)->info().target_name, "y");
    EXPECT_EQ((*set)->info().class_names, (std::vector<std::string>{"no", "yes"}));
}

TEST_F(TableFile, WhatCannotBePredictedIsRefused) {
    const auto texts =
        "x,y\n" + rows_of(40, [](int i) { return fmt::format("{},word{}", i % 9, i); });
    const auto differ = open(texts);
    ASSERT_FALSE(differ);
    EXPECT_NE(differ.error().message().find("40 different texts in 40 rows"), std::string::npos);
    const auto as_number = open(texts, {.task = Task::kRegression});
    ASSERT_FALSE(as_number);
    EXPECT_TRUE(as_number.error().is(DataError::kBadOption));
    const auto one = open("x,y\n1,a\n2,a\n3,a\n");
    ASSERT_FALSE(one);
    EXPECT_TRUE(one.error().is(DataError::kTooSmall));
    const auto unknown = open(texts, {.target = "z"});
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(DataError::kBadOption));
}

TEST_F(TableFile, TheFingerprintIsOfContentTargetAndParts) {
    const auto text =
        "x,z,y\n" + rows_of(100, [](int i) {
            return fmt::format("{},{},{}", i % 13, i % 2 ? "s" : "t", i % 3 ? "a" : "b");
        });
    const auto fingerprint = [&](const std::string& of, TableOptions options = {}) {
        return (*open(of, std::move(options)))->info().fingerprint;
    };
    const auto first = fingerprint(text);
    EXPECT_EQ(fingerprint(text), first);
    EXPECT_NE(fingerprint(text + "1,s,a\n"), first);
    EXPECT_NE(fingerprint(text, {.target = "z"}), first);
    TableOptions other;
    other.split.seed = 3;
    EXPECT_NE(fingerprint(text, other), first);
}

TEST_F(TableFile, AnExampleOutsideItsPartIsAnError) {
    const auto set = open("x,y\n" + rows_of(50, [](int i) {
                              return fmt::format("{},{}", i % 13, i % 3 ? "a" : "b");
                          }));
    ASSERT_TRUE(set);
    Batch batch;
    batch.indices = {1000};
    const auto filled = fill_batch(**set, Part::kTrain, std::nullopt, batch);
    ASSERT_FALSE(filled);
    EXPECT_TRUE(filled.error().is(DataError::kBadIndex));
}

}  // namespace
}  // namespace esper::tolaria
