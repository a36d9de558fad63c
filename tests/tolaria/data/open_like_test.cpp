#include "esper/services/tolaria/data/open_like.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "base/temporary_folder.h"
#include "esper/services/tolaria/data/images_as_known.h"
#include "esper/services/tolaria/data/larger_probe.h"
#include "esper/services/tolaria/data/stored_images.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

DatasetInfo classes(std::vector<std::string> names, Task task = Task::kClassification) {
    DatasetInfo info;
    info.task = task;
    info.classes = static_cast<std::int64_t>(names.size());
    info.class_names = std::move(names);
    return info;
}

TEST(ClassMatch, AKnownNameKeepsItsOutputAndNewOnesTakeFreeOnes) {
    const auto same = match_classes(classes({"a", "b", "c"}), classes({"c", "a"}));
    ASSERT_TRUE(same);
    EXPECT_EQ(same->output_of, (std::vector<std::uint32_t>{2, 0}));
    EXPECT_EQ(same->names, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(same->note, "");
    const auto fresh = match_classes(classes({"a", "b", "c"}), classes({"x", "b", "y"}));
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->output_of, (std::vector<std::uint32_t>{0, 1, 2}));
    EXPECT_EQ(fresh->names, (std::vector<std::string>{"x", "b", "y"}));
    EXPECT_NE(fresh->note.find("x takes that of a"), std::string::npos) << fresh->note;
}

TEST(ClassMatch, WhatHasNoPlaceIsRefused) {
    const auto more = match_classes(classes({"a", "b"}), classes({"a", "x", "y"}));
    ASSERT_FALSE(more);
    EXPECT_TRUE(more.error().is(DataError::kBadOption));
    EXPECT_NE(more.error().message().find("of its 2 outputs 1 are free"), std::string::npos);
    EXPECT_FALSE(match_classes(classes({"a", "b"}), classes({"a"}, Task::kRegression)));
    const auto labels = [](std::vector<std::string> names) {
        return classes(std::move(names), Task::kMultiLabel);
    };
    EXPECT_FALSE(match_classes(labels({"a", "b"}), labels({"a", "x"})));
    EXPECT_FALSE(match_classes(labels({"a", "b"}), labels({"a"})));
    const auto moved = match_classes(labels({"a", "b"}), labels({"b", "a"}));
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->output_of, (std::vector<std::uint32_t>{1, 0}));
}

constexpr std::uint32_t kImages = 40;
constexpr std::uint32_t kSide = 2;

// Image i of class i % 2: both channels hold one value each.
std::shared_ptr<const Dataset> images(std::vector<std::string> names, std::uint8_t low, int step,
                                      ImageLayout layout, bool several_labels = false) {
    ImageSource source;
    source.name = "images";
    source.class_names = std::move(names);
    source.several_labels = several_labels;
    source.channels = 2;
    source.height = source.width = kSide;
    source.content_sha256 = fmt::format("{} {}", low, step);
    for (std::uint32_t i = 0; i < kImages; ++i) {
        for (std::uint32_t p = 0; p < 2 * kSide * kSide; ++p)
            source.pool.pixels.push_back(static_cast<std::uint8_t>(
                low + static_cast<int>(i) * step * (p < kSide * kSide ? 1 : 2)));
        source.pool.labels.push_back(several_labels ? 0 : static_cast<std::uint16_t>(i % 2));
        if (several_labels) {
            source.pool.holds.push_back(i % 2 == 0);
            source.pool.holds.push_back(i % 3 == 0);
        }
    }
    return value_or_throw(StoredImages::make(
        std::move(source),
        {.layout = layout, .split = {.train = 0.7, .probe = 0.1, .validation = 0.1, .test = 0.1}}));
}

struct Filled {
    std::vector<float> pixels;
    std::vector<std::int64_t> classes;
    std::vector<float> labels;
};

Filled test_part(const Dataset& data) {
    const auto n = data.size(Part::kTest);
    Filled filled;
    filled.pixels.resize(n * static_cast<std::size_t>(data.info().input_elements()));
    filled.classes.resize(n);
    filled.labels.resize(n * 2);
    std::vector<std::uint32_t> all(n);
    std::iota(all.begin(), all.end(), 0U);
    EXPECT_TRUE(data.fill(Part::kTest, all, std::nullopt, {.pixels = filled.pixels.data()},
                          {.classes = filled.classes.data(), .values = filled.labels.data()}));
    return filled;
}

class AsKnown : public ::testing::TestWithParam<ImageLayout> {};
INSTANTIATE_TEST_SUITE_P(Layouts, AsKnown,
                         ::testing::Values(ImageLayout::kChannelsFirst,
                                           ImageLayout::kChannelsLast));

TEST_P(AsKnown, PixelsAreNormalisedByTheMeanAndDeviationOfTheNetworksData) {
    const auto known = images({"a", "b"}, 10, 1, GetParam());
    const auto raw = images({"b", "a"}, 60, 2, GetParam());
    const auto read = value_or_throw(ImagesAsKnown::of(raw, known->info()));
    const auto own = test_part(*raw);
    const auto seen = test_part(*read);
    const auto& from = raw->info();
    const auto& to = known->info();
    const bool last = GetParam() == ImageLayout::kChannelsLast;
    ASSERT_FALSE(own.pixels.empty());
    for (std::size_t i = 0; i < own.pixels.size(); ++i) {
        const auto c = last ? i % 2 : i / (kSide * kSide) % 2;
        const double pixel = own.pixels[i] * from.deviation[c] + from.mean[c];
        EXPECT_NEAR(seen.pixels[i], (pixel - to.mean[c]) / to.deviation[c], 1e-4);
    }
    for (std::size_t i = 0; i < own.classes.size(); ++i)
        EXPECT_EQ(seen.classes[i], 1 - own.classes[i]);  // "a" is the network's first output
    EXPECT_EQ(read->info().class_names, known->info().class_names);
    EXPECT_NE(read->info().fingerprint, raw->info().fingerprint);
}

TEST(ImagesAsKnown, LabelsStandWhereTheNetworksDo) {
    const auto known = images({"a", "b"}, 10, 1, ImageLayout::kChannelsFirst, true);
    const auto raw = images({"b", "a"}, 60, 2, ImageLayout::kChannelsFirst, true);
    const auto read = value_or_throw(ImagesAsKnown::of(raw, known->info()));
    const auto own = test_part(*raw).labels;
    const auto seen = test_part(*read).labels;
    for (std::size_t i = 0; i + 1 < own.size(); i += 2) {
        EXPECT_EQ(seen[i], own[i + 1]);
        EXPECT_EQ(seen[i + 1], own[i]);
    }
}

TEST(ImagesAsKnown, AnotherSizeIsRefused) {
    const auto known = images({"a", "b"}, 10, 1, ImageLayout::kChannelsFirst);
    auto other = known->info();
    other.input_shape = {2, 4, 4};
    const auto refused = ImagesAsKnown::of(known, other);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DataError::kBadOption));
}

class Tables : public ::testing::Test {
  protected:
    // y is 1000 times x plus `offset`; the colours come in the order that they are given.
    fs::path write(const std::string& name, int rows, double offset, const std::string& header,
                   const std::vector<std::string>& colours, const std::vector<std::string>& kinds) {
        auto path = folder_.path() / name;
        std::ofstream out(path);
        out << header << '\n';
        for (int i = 0; i < rows; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const double x = 0.37 * ((i * 7) % 31);
            for (std::size_t c = 0; c < header.size(); c += 2) {
                if (c > 0) out << ',';
                if (header[c] == 'x') out << x;
                if (header[c] == 'c') out << colours[at % colours.size()];
                if (header[c] == 'k') out << kinds[at % kinds.size()];
                if (header[c] == 'y') out << 1000 * x + offset + 0.001 * i;
            }
            out << '\n';
        }
        return path;
    }
    Result<std::shared_ptr<const Dataset>> like(const fs::path& known, const fs::path& data) {
        ESPER_TRY(const auto opened, open_dataset(options(known)));
        return open_like(*opened, options(data));
    }
    static DataOptions options(const fs::path& path) {
        return {.name = "table",
                .path = path,
                .split = {.train = 0.7, .probe = 0.1, .validation = 0.1, .test = 0.1}};
    }

    TemporaryFolder folder_;
};

TEST_F(Tables, ColumnsAreFoundByNameAndEncodedAsTheNetworkHasLearntThem) {
    const auto known = write("known.csv", 300, 0, "x,c,k", {"red", "green", "blue"}, {"in", "out"});
    const auto data = write("data.csv", 200, 0, "k,c,x", {"blue", "red"}, {"out", "in"});
    const auto first = value_or_throw(open_dataset(options(known)));
    const auto read = value_or_throw(open_like(*first, options(data)));
    EXPECT_EQ(read->info().input_shape, first->info().input_shape);
    EXPECT_EQ(read->info().class_names, (std::vector<std::string>{"in", "out"}));
    EXPECT_EQ(read->info().target_name, "k");
    // The same row in both tables has the same inputs.
    const auto row = [](const Dataset& set, Part part, std::uint32_t i) {
        std::vector<float> x(static_cast<std::size_t>(set.info().input_elements()));
        std::int64_t y = 0;
        EXPECT_TRUE(
            set.fill(part, std::array{i}, std::nullopt, {.pixels = x.data()}, {.classes = &y}));
        return x;
    };
    std::vector<std::vector<float>> seen;
    for (const auto part : kAllParts)
        for (std::uint32_t i = 0; i < first->size(part); ++i) seen.push_back(row(*first, part, i));
    for (std::uint32_t i = 0; i < read->size(Part::kTest); ++i)
        EXPECT_NE(std::ranges::find(seen, row(*read, Part::kTest, i)), seen.end()) << "row " << i;
}

TEST_F(Tables, NumbersThatArePredictedKeepTheNetworksScale) {
    const auto known = write("known.csv", 300, 0, "x,y", {}, {});
    const auto data = write("data.csv", 300, 50'000, "x,y", {}, {});
    const auto first = value_or_throw(open_dataset(options(known)));
    const auto read = value_or_throw(open_like(*first, options(data)));
    EXPECT_EQ(read->info().target_mean, first->info().target_mean);
    EXPECT_EQ(read->info().target_deviation, first->info().target_deviation);
    std::vector<float> x(1);
    float y = 0;
    ASSERT_TRUE(read->fill(Part::kTest, std::array{0U}, std::nullopt, {.pixels = x.data()},
                           {.values = &y}));
    EXPECT_GT(y, 5);  // far above what the network has seen
}

TEST_F(Tables, WhatDoesNotFitIsRefusedByName) {
    const auto known = write("known.csv", 300, 0, "x,c,k", {"red", "blue"}, {"in", "out"});
    const auto lacks = like(known, write("a.csv", 200, 0, "x,k", {}, {"in", "out"}));
    ASSERT_FALSE(lacks);
    EXPECT_TRUE(lacks.error().is(DataError::kCorrupt));
    EXPECT_NE(lacks.error().message().find("lacks the column 'c'"), std::string::npos);
    const auto more = like(known, write("b.csv", 200, 0, "x,c,k", {"red"}, {"in", "up", "down"}));
    ASSERT_FALSE(more);
    EXPECT_TRUE(more.error().is(DataError::kBadOption));
    const auto target = like(known, write("c.csv", 200, 0, "x,c", {"red", "blue"}, {}));
    ASSERT_FALSE(target);
    EXPECT_NE(target.error().message().find('k'), std::string::npos);
}

TEST_F(Tables, ClassesStandWhereAnAdapterHasThem) {
    const auto known = write("known.csv", 300, 0, "x,c,k", {"red", "blue"}, {"in", "out"});
    const auto opened = value_or_throw(open_dataset(options(known)));
    const auto data = write("data.csv", 200, 0, "x,c,k", {"red", "blue"}, {"up", "down"});
    const auto read = value_or_throw(open_like(*opened, options(data), {"up", "down"}));
    EXPECT_EQ(read->info().class_names, (std::vector<std::string>{"up", "down"}));
    const auto later = write("later.csv", 200, 0, "x,c,k", {"red", "blue"}, {"down", "new"});
    const auto mixed = value_or_throw(open_like(*opened, options(later), {"up", "down"}));
    EXPECT_EQ(mixed->info().class_names, (std::vector<std::string>{"new", "down"}));
}

TEST_F(Tables, ANumberFarOffIsRefusedOrTold) {
    const auto known = write("known.csv", 300, 0, "x,c,k", {"red", "blue"}, {"in", "out"});
    const auto far = folder_.path() / "far.csv";
    std::ofstream(far) << std::ifstream(known).rdbuf() << "1e60,red,in\n";
    const auto refused = like(known, far);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DataError::kCorrupt));
    EXPECT_NE(refused.error().message().find("line 302, column 'x': '1e60'"), std::string::npos)
        << refused.error().message();
    std::string notes;
    std::uint32_t seed = 0;
    for (; notes.find("typing errors") == std::string::npos && seed < 20; ++seed) {
        auto with = options(far);
        with.split.seed = seed;
        const auto own = value_or_throw(open_dataset(with));
        for (const auto& note : own->info().notes) notes += note + "\n";
        for (const auto part : kAllParts)
            for (std::uint32_t i = 0; i < own->size(part); ++i) {
                std::vector<float> x(static_cast<std::size_t>(own->info().input_elements()));
                std::int64_t y = 0;
                ASSERT_TRUE(own->fill(part, std::array{i}, std::nullopt, {.pixels = x.data()},
                                      {.classes = &y}));
                for (const auto value : x) EXPECT_LE(std::abs(value), 1e6F);
            }
    }
    EXPECT_LT(seed, 20U) << "in no division it fell outside the training part";
}

TEST_F(Tables, ALargerProbeTakesOfTheTrainingPartAlone) {
    const auto known = value_or_throw(
        open_dataset(options(write("known.csv", 300, 0, "x,c,k", {"red", "blue"}, {"in", "out"}))));
    const LargerProbe more(known, 50);
    EXPECT_EQ(more.size(Part::kProbe), known->size(Part::kProbe) + 50);
    EXPECT_EQ(more.size(Part::kTrain), known->size(Part::kTrain) - 50);
    EXPECT_NE(more.info().fingerprint, known->info().fingerprint);
    const auto row = [](const Dataset& set, Part part, std::uint32_t i) {
        std::vector<float> x(static_cast<std::size_t>(set.info().input_elements()));
        std::int64_t y = 0;
        EXPECT_TRUE(
            set.fill(part, std::array{i}, std::nullopt, {.pixels = x.data()}, {.classes = &y}));
        x.push_back(static_cast<float>(y));
        return x;
    };
    const auto own = known->size(Part::kProbe);
    EXPECT_EQ(row(more, Part::kProbe, 0), row(*known, Part::kProbe, 0));
    EXPECT_EQ(row(more, Part::kProbe, own + 7), row(*known, Part::kTrain, 7));
    EXPECT_EQ(row(more, Part::kTrain, 7), row(*known, Part::kTrain, 57));
    EXPECT_EQ(row(more, Part::kTest, 3), row(*known, Part::kTest, 3));
    std::vector<float> x(100);
    std::int64_t y = 0;
    const std::uint32_t end = more.size(Part::kProbe);
    const auto beyond = more.fill(Part::kProbe, std::span(&end, 1), std::nullopt,
                                  {.pixels = x.data()}, {.classes = &y});
    ASSERT_FALSE(beyond);
    EXPECT_TRUE(beyond.error().is(DataError::kBadIndex));
}

TEST_F(Tables, RowsWithoutNamesAreRefused) {
    const auto known = write("known.csv", 300, 0, "x,c,k", {"red", "blue"}, {"in", "out"});
    const auto opened = value_or_throw(open_dataset(options(known)));
    auto other = options(known);
    other.name = "numpy";
    const auto refused = open_like(*opened, other);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DataError::kBadOption));
}

}  // namespace
}  // namespace esper::tolaria
