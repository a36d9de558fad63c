#include "esper/services/tolaria/data/labelled_images.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "esper/services/tolaria/data/stratified_split.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

class LabelsFile : public testing::Test {
  protected:
    // What the files hold is looked at later; here their names count.
    void put(const std::string& name) {
        fs::create_directories((folder_.path() / name).parent_path());
        std::ofstream(folder_.path() / name) << "image";
    }
    Result<std::optional<LabelledImages>> listed(const std::string& csv, DataOptions options = {}) {
        std::ofstream(folder_.path() / kLabelsFile) << csv;
        return list_labelled_images(folder_.path(), options);
    }
    TemporaryFolder folder_;
};

TEST_F(LabelsFile, AFileIsNamedByItsPathOrByWhatIsUniqueOfIt) {
    for (const char* name : {"a/1.png", "b/1.png", "b/2.jpg", "3.jpeg"}) put(name);
    const auto found = listed("file,x,y\nb/2,1,0\n3.jpeg,0,1\n./a/1.png,1,1\nb/1,0,0\n");
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_TRUE(*found);
    const auto& list = (*found)->list;
    ASSERT_EQ(list.files.size(), 4U);
    std::vector<std::string> names;
    std::vector<std::uint32_t> rows;
    for (const auto& file : list.files) {
        names.push_back(file.path.lexically_relative(folder_.path()).string());
        rows.push_back(file.row);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"3.jpeg", "a/1.png", "b/1.png", "b/2.jpg"}));
    EXPECT_EQ(rows, (std::vector<std::uint32_t>{1, 2, 3, 0}));
    EXPECT_EQ((*found)->target.labels, (std::vector<std::uint8_t>{1, 0, 0, 1, 1, 1, 0, 0}));
}

TEST_F(LabelsFile, ANameThatFitsTwoImagesIsOfNone) {
    for (const char* name : {"a/1.png", "b/1.png", "c.png"}) put(name);
    const auto found = listed("file,x,y\n1.png,1,0\nc,0,1\nb/1,1,1\n");
    ASSERT_FALSE(found);
    EXPECT_TRUE(found.error().is(DataError::kCorrupt));
    EXPECT_NE(found.error().message().find("line 2 ('1.png')"), std::string::npos)
        << found.error().message();
    const auto kept = listed("file,x,y\n1.png,1,0\nc,0,1\nb/1,1,1\n", {.skip_corrupt = true});
    ASSERT_TRUE(kept) << kept.error().message();
    EXPECT_EQ((*kept)->list.files.size(), 2U);
}

TEST_F(LabelsFile, FoldersNamedAsPartsAreTheDatasOwnParts) {
    for (const char* name : {"train/1.png", "val/2.png", "test/3.png"}) put(name);
    const auto found = listed("file,x,y\n1,1,0\n2,0,1\n3,1,1\n");
    ASSERT_TRUE(found) << found.error().message();
    const auto& list = (*found)->list;
    EXPECT_TRUE(list.has_validation && list.has_test);
    EXPECT_EQ(list.files[0].part, Part::kTest);
    EXPECT_EQ(list.files[1].part, Part::kTrain);
    EXPECT_EQ(list.files[2].part, Part::kValidation);
}

TEST_F(LabelsFile, LabelsOfOneCellStandBetweenSeparatorsAndAnEmptyCellHasNone) {
    for (const char* name : {"1.png", "2.png", "3.png"}) put(name);
    const auto found = listed("file,tags\n1,sea; sky\n2,\n3,sky\n");
    ASSERT_TRUE(found) << found.error().message();
    const auto& target = (*found)->target;
    EXPECT_EQ(target.class_names, (std::vector<std::string>{"sea", "sky"}));
    EXPECT_EQ(target.labels, (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 1}));
    // Names of classes may have blanks: only who asks for labels has them divided there.
    const auto asked = listed("file,tags\n1,sea sky\n2,sky\n3,sky\n", {.task = Task::kMultiLabel});
    ASSERT_TRUE(asked) << asked.error().message();
    EXPECT_EQ((*asked)->target.class_names, (std::vector<std::string>{"sea", "sky"}));
}

TEST_F(LabelsFile, WithoutNamesInItsFirstLineItIsRefused) {
    put("1.png");
    put("2.png");
    const auto found = listed("1.png,1,0\n2.png,0,1\n");
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message().find("names in the first line"), std::string::npos);
}

TEST(GroupsOfLabels, CombinationsThatComeOftenAreDividedAndTheRestIsOneGroup) {
    std::vector<std::uint8_t> holds;
    for (int i = 0; i < 12; ++i) holds.insert(holds.end(), {1, 0});
    for (int i = 0; i < 11; ++i) holds.insert(holds.end(), {0, 1});
    for (int i = 0; i < 3; ++i) holds.insert(holds.end(), {1, 1});
    holds.insert(holds.end(), {0, 0});
    const auto groups = groups_of_labels(holds, 2);
    ASSERT_EQ(groups.size(), 27U);
    EXPECT_NE(groups[0], groups[12]);
    EXPECT_NE(groups[0], groups[23]);
    EXPECT_EQ(groups[23], groups[26]);
}

}  // namespace
}  // namespace esper::tolaria
