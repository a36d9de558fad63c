#include "esper/services/tolaria/data/file_format.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/services/tolaria/data/data_config.h"
#include "esper/services/tolaria/data/text_dataset.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;

class FileFormat : public testing::Test {
  protected:
    fs::path write(const std::string& name, const std::string& content) {
        fs::path path = folder_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    static std::string refusal(const std::string& kind, const fs::path& path) {
        const auto opened = open_dataset({.name = kind, .path = path});
        EXPECT_FALSE(opened);
        if (opened) return "";
        EXPECT_TRUE(opened.error().is(DataError::kUnsupportedFormat)) << opened.error().message();
        return opened.error().message();
    }

    TemporaryFolder temporary_;
    fs::path folder_ = temporary_.path();
};

TEST_F(FileFormat, WhatIsNoTextIsNamed) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"\x1f\x8b\x08\0abc"s, "a gzip file"},
        {"PK\x03\x04\x14\0abc"s, "a zip (.npz, .zip, .pt) file"},
        {"\x93NUMPY\x01\0v"s, "a NumPy (.npy) file"},
        {"\x89PNG\r\n\x1a\n"s, "a PNG file"},
        {"\xff\xd8\xff\xe0"s, "a JPEG file"},
        {"PAR1\x15\x04\x15"s, "a Parquet file"},
        {"\0\0\x08\x03\0\0\xea\x60"s, "an IDX (MNIST's layout) file"},
        {"\xff\xfeh\0i\0"s, "a UTF-16 text file"},
    };
    for (const auto& [bytes, name] : cases) {
        const fs::path path = write("given", bytes + std::string(3000, 'a'));
        const std::string said = refusal("text", path);
        EXPECT_NE(said.find(name + ", which is not supported as text"), std::string::npos) << said;
        EXPECT_NE(said.find("UTF-8 text"), std::string::npos) << said;
        EXPECT_NE(refusal("cifar10", path).find(name), std::string::npos);
    }
}

TEST_F(FileFormat, AFolderOfImagesIsNamed) {
    write("cats/1.PNG", "x");
    write("cats/2.png", "x");
    write("dogs/3.jpg", "x");
    for (const char* kind : {"text", "cifar10"}) {
        EXPECT_NE(refusal(kind, folder_).find("a folder of .png images"), std::string::npos);
    }
}

TEST_F(FileFormat, ATableGivenAsImagesIsNamed) {
    EXPECT_NE(refusal("cifar10", write("a.csv", "x,y\n1,2\n")).find("a CSV file"),
              std::string::npos);
}

TEST_F(FileFormat, ATextMayBeginLikeSomethingElse) {
    for (const char* begin : {"PAR1", "BZh91AY", "GIF89a", "%PDF-1.4", "PK"})
        EXPECT_EQ(recognise_format(std::string(begin) + " is how this text begins\n\tand goes on"),
                  "");
}

TEST_F(FileFormat, AByteOrderMarkIsNoCharacter) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += std::to_string(i) + ' ';
    const auto without = value_or_throw(TextDataset::of_text(text, {.context = 16}));
    const auto with = value_or_throw(TextDataset::of_text("\xEF\xBB\xBF" + text, {.context = 16}));
    EXPECT_EQ(with->vocabulary().characters(), without->vocabulary().characters());
    EXPECT_EQ(with->info().fingerprint, without->info().fingerprint);
}

TEST(DataConfig, Cifar10IsLookedForWhereItIsFetchedTo) {
    configs::EsperConfig config;
    config.data.kind = configs::DataKind::kCifar10;
    EXPECT_EQ(data_options(config).path, "") << "not in the default text";
    config.data.path = "mine";
    EXPECT_EQ(data_options(config).path, "mine");
    config.data.kind = configs::DataKind::kText;
    config.data.context = 0;
    config.model.context = 17;
    EXPECT_EQ(data_options(config).context, 17U);
    config.data.context = 9;
    EXPECT_EQ(data_options(config).context, 9U);
}

TEST(DataConfig, OnlyDrawnImagesAreMadeInANumber) {
    configs::EsperConfig config;
    config.data.train_examples = 5;
    EXPECT_EQ(data_options(config).split.train_examples, 0U);
    config.data.kind = configs::DataKind::kDrawn;
    EXPECT_EQ(data_options(config).split.train_examples, 5U);
    config.data.train_examples = 99'999'999'999;
    EXPECT_EQ(data_options(config).split.train_examples, UINT32_MAX);
}

}  // namespace
}  // namespace esper::tolaria
