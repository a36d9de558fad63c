// Readers of files that a user brings, whole and damaged.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/idx_file.h"
#include "esper/services/tolaria/data/image_file.h"
#include "esper/services/tolaria/data/numpy_array.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/scale_image.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;

class OwnFiles : public testing::Test {
  protected:
    OwnFiles() { setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1); }

    fs::path write(const std::string& name, const std::string& content) {
        fs::path path = folder_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    /// A picture in one colour.
    std::string png(std::uint32_t width, std::uint32_t height, std::uint8_t red) {
        std::vector<std::uint8_t> rgb(std::size_t{width} * height * 3, 10);
        for (std::size_t i = 0; i < rgb.size(); i += 3) rgb[i] = red;
        EXPECT_TRUE(write_png(folder_ / "made.png", width, height, rgb));
        return *read_file(folder_ / "made.png");
    }
    TemporaryFolder temporary_;
    fs::path folder_ = temporary_.path();
};

template <typename T>
bool fails_with(const Result<T>& result, DataError code) {
    return !result && result.error().is(code) && !result.error().message().empty();
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& values) {
    const auto head =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}\n", descr, shape);
    return "\x93NUMPY\x01\0"s + static_cast<char>(head.size()) + '\0' + head + values;
}

Result<NumpyArray> parsed(const std::string& bytes) {
    return NumpyArray::parse(std::make_shared<std::string>(bytes));
}

TEST(Numpy, NumbersOfEachTypeAreRead) {
    EXPECT_EQ(parsed(npy("|u1", "3,", "\x01\x80\xff"))->at(2), 255);
    EXPECT_EQ(parsed(npy("|i1", "2,", "\x01\xff"))->at(1), -1);
    EXPECT_EQ(parsed(npy("<i2", "1,", "\xfe\xff"))->at(0), -2);
    EXPECT_EQ(parsed(npy("<f2", "2,", "\x00\x3c\x00\xc0"s))->at(1), -2);
    EXPECT_EQ(parsed(npy("<f4", "1,", "\x00\x00\x80\x3f"s))->at(0), 1);
    EXPECT_EQ(parsed(npy("|b1", "2, 1", "\x01\x00"s))->in_words(), "bool [2, 1]");
}

TEST(Numpy, WhatTheHeadSaysIsHeldAgainstTheFile) {
    EXPECT_TRUE(fails_with(parsed(npy("|u1", "4,", "abc")), DataError::kTruncated));
    EXPECT_TRUE(fails_with(parsed(npy("|u1", "2,", "abc")), DataError::kTruncated));
    EXPECT_TRUE(
        fails_with(parsed(npy("<f8", "4294967296, 4294967296, 2", "")), DataError::kCorrupt));
    EXPECT_TRUE(fails_with(parsed(npy("|u1", "-3,", "abc")), DataError::kCorrupt));
    EXPECT_TRUE(fails_with(parsed("\x93NUMPY\x01\0\xff\xff"s), DataError::kCorrupt));
    EXPECT_TRUE(fails_with(parsed("PK\x03\x04 and more than that"), DataError::kCorrupt));
}

TEST(Numpy, ObjectsTextsAndForeignOrdersAreRefused) {
    for (const char* descr : {"|O", "<U5", ">f4", "<c8", "<f3", "<f16"})
        EXPECT_TRUE(fails_with(parsed(npy(descr, "1,", "abcdefgh")), DataError::kUnsupportedFormat))
            << descr;
}

TEST(Idx, SizesAreHeldAgainstTheFile) {
    const auto file =
        "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
        "abcdef"s;
    const auto whole = parse_idx(file);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->shape, (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(whole->bytes, "abcdef");
    EXPECT_TRUE(fails_with(parse_idx("\0\0\x08\x01\0\0\0\x03"
                                     "ab"s),
                           DataError::kTruncated));
    EXPECT_TRUE(fails_with(
        parse_idx("\0\0\x08\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s),
        DataError::kCorrupt));
    EXPECT_TRUE(fails_with(parse_idx("\0\0\x0d\x01\0\0\0\x01"
                                     "abcd"s),
                           DataError::kUnsupportedFormat));
    EXPECT_TRUE(fails_with(parse_idx("\0\0\x08\x09"s), DataError::kCorrupt));
}

TEST(ScaleImage, APixelIsTheMeanOfTheAreaThatItCovers) {
    Pixels pixels{4, 2, 1, {0, 100, 200, 50, 0, 100, 100, 50}};
    EXPECT_EQ(scale_square(pixels, 2), (std::vector<std::uint8_t>{100, 200, 100, 100}));
    EXPECT_EQ(scale_square(pixels, 1), (std::vector<std::uint8_t>{125}));
}

TEST(ScaleImage, ASmallImageIsInterpolated) {
    Pixels pixels{2, 2, 1, {0, 100, 0, 100}};
    EXPECT_EQ(scale_square(pixels, 4), (std::vector<std::uint8_t>{0, 25, 75, 100, 0, 25, 75, 100, 0,
                                                                  25, 75, 100, 0, 25, 75, 100}));
    EXPECT_EQ(scale_square({1, 1, 1, {7}}, 2), (std::vector<std::uint8_t>{7, 7, 7, 7}));
}

TEST_F(OwnFiles, ImagesAreReadWholeOrNotAtAll) {
    const auto bytes = png(20, 10, 200);
    const auto head = read_image_head(bytes);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->width, 20U);
    const auto image = read_square_image(bytes, 4, 3);
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_EQ((*image)[0], 200);
    EXPECT_EQ((*image)[16], 10);
    for (const std::size_t kept : {std::size_t{9}, bytes.size() / 2, bytes.size() - 20})
        EXPECT_FALSE(read_square_image(bytes.substr(0, kept), 4, 3)) << kept;
    EXPECT_TRUE(fails_with(read_image_head("no image"), DataError::kCorrupt));
}

TEST_F(OwnFiles, DimensionsThatTheBytesCannotHoldAreRefused) {
    auto bytes = png(20, 10, 200);
    // Width and height in the head, behind mark, length and name; then the chunk's CRC.
    bytes.replace(16, 8, "\x7f\xff\xff\xff\x7f\xff\xff\xff"s);
    const auto head = read_image_head(bytes);
    EXPECT_FALSE(head);
    EXPECT_FALSE(read_square_image(bytes, 4, 3));
}

TEST_F(OwnFiles, AnyBytesGiveAnErrorOrData) {
    std::mt19937 random(1);
    const auto whole = png(16, 16, 90);
    const auto array = npy("<f4", "2, 2", std::string(16, 'x'));
    for (int i = 0; i < 300; ++i) {
        auto image = whole;
        auto numbers = array;
        image[random() % image.size()] = static_cast<char>(random());
        numbers[random() % numbers.size()] = static_cast<char>(random());
        static_cast<void>(read_square_image(image, 8, 3));
        const auto read = parsed(numbers);
        EXPECT_LE(read ? read->elements() : 0, 16U);
    }
}

TEST_F(OwnFiles, GzipIsUnpackedUpToALimit) {
    // printf 'aaaa' | gzip -n
    const auto packed =
        "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4c\x4c\x04\0\x45\xe5\x98\xad\x04\0\0\0"s;
    EXPECT_EQ(*gunzip(packed, 100), "aaaa");
    EXPECT_EQ(*gunzip(packed + packed, 100), "aaaaaaaa");
    EXPECT_TRUE(fails_with(gunzip(packed, 3), DataError::kTooLarge));
    EXPECT_TRUE(fails_with(gunzip(packed.substr(0, 14), 100), DataError::kTruncated));
    auto damaged = packed;
    damaged[16] = 'x';
    EXPECT_TRUE(fails_with(gunzip(damaged, 100), DataError::kCorrupt));
}

TEST_F(OwnFiles, NamesAreShownWithoutWhatDrivesATerminal) {
    EXPECT_EQ(shown_name("a\033[31m\xff"
                         "Ü\n"),
              "a\\x1b[31m\\xffÜ\\x0a");
    EXPECT_LE(shown_name(std::string(1000, 'x')).size(), 80U);
}

TEST_F(OwnFiles, AFolderOfImagesHasDisjointPartsOfEachClass) {
    for (const char* kind : {"red", "black"})
        for (int i = 0; i < 30; ++i)
            write(fmt::format("pets/{}/{:02}.png", kind, i),
                  png(12, 12, static_cast<std::uint8_t>(kind[0] == 'r' ? 150 + i : i)));
    DataOptions options;
    options.path = folder_ / "pets";
    options.split = {.train = 0.6, .probe = 0.2, .validation = 0.1, .test = 0.1};
    const auto set = open_image_folder(options);
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_EQ((*set)->info().class_names, (std::vector<std::string>{"black", "red"}));
    EXPECT_EQ((*set)->size(Part::kProbe), 12U);
    EXPECT_EQ((*set)->size(Part::kTrain), 36U);
    const auto again = open_image_folder(options);
    EXPECT_EQ((*again)->info().fingerprint, (*set)->info().fingerprint);
    options.split.seed = 1;
    EXPECT_NE((*open_image_folder(options))->info().fingerprint, (*set)->info().fingerprint);

    write("pets/red/xx.png", "no image");
    EXPECT_TRUE(fails_with(open_image_folder(options), DataError::kCorrupt));
    options.skip_corrupt = true;
    EXPECT_EQ((*open_image_folder(options))->size(Part::kTrain), 36U);
}

}  // namespace
}  // namespace esper::tolaria
