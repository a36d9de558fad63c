#include "esper/services/tolaria/data/parquet_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/services/tolaria/data/recognise.h"
#include "esper/services/tolaria/data/table_dataset.h"
#include "esper/services/tolaria/data/table_files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

// 60 rows in three row groups; tests/python/make_parquet.py wrote them, and the CSV beside them.
const fs::path kFixtures = fs::path(ESPER_SOURCE_DIR) / "tests" / "fixtures" / "parquet";

class ParquetFile : public testing::Test {
  protected:
    void SetUp() override {
        bytes_ = *read_file(kFixtures / "all_types.parquet");
        const auto table = parse_parquet(bytes_);
        if (!table && table.error().is(DataError::kUnsupportedFormat))
            GTEST_SKIP() << table.error().message();
    }
    std::string bytes_;
};

std::vector<std::string> texts(std::span<const std::string_view> cells) {
    return {cells.begin(), cells.end()};
}

TEST_F(ParquetFile, HasTheCellsOfTheCsvFileOfTheSameTable) {
    const auto csv = read_table_file(kFixtures / "all_types.csv", false);
    const auto parquet = read_table_file(kFixtures / "all_types.parquet", false);
    ASSERT_TRUE(csv) << csv.error().message();
    ASSERT_TRUE(parquet) << parquet.error().message();
    ASSERT_EQ(parquet->table.names, csv->table.names);
    for (std::size_t c = 0; c < csv->table.columns.size(); ++c) {
        const auto& name = csv->table.names[c];
        const auto left = read_column(name, csv->table.columns[c]);
        const auto right = read_column(name, parquet->table.columns[c]);
        ASSERT_EQ(right.is_numeric(), left.is_numeric()) << name;
        EXPECT_EQ(right.names, left.names) << name;
        EXPECT_EQ(right.categories, left.categories) << name;
        for (std::size_t row = 0; row < left.numbers.size(); ++row)
            EXPECT_TRUE(left.numbers[row] == right.numbers[row] ||
                        (std::isnan(left.numbers[row]) && std::isnan(right.numbers[row])))
                << name << " in row " << row << ": " << left.numbers[row] << " and "
                << right.numbers[row];
    }
}

TEST_F(ParquetFile, LeavesNestedColumnsAndAnIndexOfPandasOutAndSaysWhy) {
    const auto table = parse_parquet(bytes_);
    ASSERT_TRUE(table);
    std::set<std::string> names;
    for (const auto& [name, why] : table->left_out) names.insert(name);
    EXPECT_EQ(names, (std::set<std::string>{"points", "origin", "__index_level_0__"}));
    const auto words = table->words_of_left_out();
    EXPECT_NE(words.find("'points' is left out: it is a list<"), std::string::npos) << words;
    const auto wanted = open_table({.path = kFixtures / "all_types.parquet", .target = "points"});
    ASSERT_FALSE(wanted);
    EXPECT_NE(wanted.error().message().find("'points' is left out"), std::string::npos);
}

TEST_F(ParquetFile, IsRecognisedByItsContentWhateverItsName) {
    TemporaryFolder folder;
    fs::copy_file(kFixtures / "all_types.parquet", folder.path() / "table.data");
    const auto found = recognise(folder.path() / "table.data");
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->kind, configs::DataKind::kTable);
}

TEST_F(ParquetFile, CutAnywhereItIsAnErrorThatNamesTheFile) {
    TemporaryFolder folder;
    const auto path = folder.path() / "cut.parquet";
    for (std::size_t size = 12; size < bytes_.size(); size += 97) {
        std::ofstream(path, std::ios::binary) << bytes_.substr(0, size);
        const auto read = read_table(path, false);
        ASSERT_FALSE(read) << size;
        EXPECT_NE(read.error().message().find("cut.parquet"), std::string::npos);
    }
}

TEST_F(ParquetFile, WithBytesChangedItIsATableOfFullColumnsOrAnError) {
    std::mt19937 draw(7);
    int refused = 0;
    for (int i = 0; i < 1500; ++i) {
        auto changed = bytes_;
        for (int j = 0; j < 3; ++j) changed[draw() % changed.size()] = static_cast<char>(draw());
        const auto table = parse_parquet(changed, 2, std::uint64_t{1} << 28);
        if (!table) {
            ++refused;
            EXPECT_FALSE(table.error().message().empty());
            continue;
        }
        for (const auto& column : table->columns) {
            ASSERT_EQ(column.size(), table->rows());
            for (const auto cell : column) ASSERT_LE(cell.size(), changed.size() * 100);
        }
    }
    EXPECT_GT(refused, 300);
}

// A head may promise any number of rows; this one repeats one value by run lengths, whole and
// legal.
TEST_F(ParquetFile, MoreThanMemoryHoldsIsRefusedBeforeItIsRead) {
    const auto bytes = *read_file(kFixtures / "ten_million_rows.parquet");
    ASSERT_LT(bytes.size(), 100'000U);
    const auto table = parse_parquet(bytes, 2, std::uint64_t{1} << 28);
    ASSERT_FALSE(table);
    EXPECT_TRUE(table.error().is(DataError::kTooLarge)) << table.error().message();
    EXPECT_NE(table.error().message().find("10000000 rows"), std::string::npos)
        << table.error().message();
    // Texts that are long once they are unpacked are counted, too.
    const auto texts = parse_parquet(bytes_, 2, 4000);
    ASSERT_FALSE(texts);
    EXPECT_TRUE(texts.error().is(DataError::kTooLarge));
}

TEST_F(ParquetFile, SeveralFilesAreOneTableAndMustHaveTheSameColumns) {
    TemporaryFolder folder;
    for (const char* name : {"b.parquet", "a.parquet"})
        fs::copy_file(kFixtures / "all_types.parquet", folder.path() / name);
    const auto alone = read_table(folder.path() / "a.parquet", false);
    for (const auto& path : {folder.path(), folder.path() / "*.parquet"}) {
        const auto both = read_table(path, false);
        ASSERT_TRUE(both) << both.error().message();
        ASSERT_EQ(both->table.rows(), 2 * alone->table.rows());
        EXPECT_EQ(both->table.place(0), "a.parquet, row 1");
        EXPECT_EQ(both->table.place(alone->table.rows()), "b.parquet, row 1");
        EXPECT_NE(both->sha256, alone->sha256);
        auto twice = texts(alone->table.columns[0]);
        const auto once = twice;
        twice.insert(twice.end(), once.begin(), once.end());
        EXPECT_EQ(texts(both->table.columns[0]), twice);
    }
    std::ofstream(folder.path() / "c.parquet") << "other,columns\n1,2\n3,4\n";
    const auto mixed = read_table(folder.path(), false);
    ASSERT_FALSE(mixed);
    EXPECT_TRUE(mixed.error().is(DataError::kCorrupt));
    EXPECT_NE(mixed.error().message().find("other, columns"), std::string::npos);
}

TEST(TableFiles, OfCsvARowIsFoundByItsFileAndLine) {
    TemporaryFolder folder;
    std::ofstream(folder.path() / "1.csv") << "a,b\n1,2\n3,4\n";
    std::ofstream(folder.path() / "2.csv") << "a;b\n5;6\n7;\n";
    const auto read = read_table(folder.path() / "*.csv", false);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(texts(read->table.columns[0]), (std::vector<std::string>{"1", "3", "5", "7"}));
    EXPECT_EQ(read->table.place(3), "2.csv, line 3");
    const auto opened = open_table({.path = folder.path() / "*.csv"});
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message().find("2.csv, line 3 has no value"), std::string::npos)
        << opened.error().message();
}

}  // namespace
}  // namespace esper::tolaria
