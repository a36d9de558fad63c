#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "base/temporary_folder.h"
#include "esper/base/random.h"
#include "esper/services/tolaria/data/cifar10.h"
#include "esper/services/tolaria/data/drawing.h"
#include "esper/services/tolaria/data/drawn_images.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kPixels = 3072;

struct Images {
    std::vector<float> pixels;
    std::vector<std::int64_t> targets;
};

Images read(const Dataset& set, Part part, const std::vector<std::uint32_t>& indices,
            std::optional<Variation> variation = std::nullopt) {
    Images images;
    images.pixels.resize(indices.size() * kPixels);
    images.targets.resize(indices.size());
    const Status status = set.fill(part, indices, variation, {.pixels = images.pixels.data()},
                                   {.classes = images.targets.data()});
    EXPECT_TRUE(status) << (status ? "" : status.error().to_string());
    return images;
}

std::vector<std::uint32_t> first(std::uint32_t n) {
    std::vector<std::uint32_t> indices(n);
    std::iota(indices.begin(), indices.end(), 0U);
    return indices;
}

DrawnOptions small_drawn() { return {.split = {.train_examples = 400}}; }

TEST(DrawnImages, AnExampleIsAPureFunctionOfSeedAndNumber) {
    std::array<std::uint8_t, kDrawnBytes> a{};
    std::array<std::uint8_t, kDrawnBytes> b{};
    EXPECT_EQ(draw_example(1, 17, a), draw_example(1, 17, b));
    EXPECT_EQ(a, b);
    draw_example(1, 18, b);
    EXPECT_NE(a, b);
    draw_example(2, 17, b);
    EXPECT_NE(a, b);
}

TEST(DrawnImages, NeitherThreadsNorTheSizesOfOtherPartsChangeAnExample) {
    DrawnOptions one = small_drawn();
    one.threads = 1;
    DrawnOptions two{.split = {.train = 0.4, .probe = 0.4, .train_examples = 700}, .threads = 2};
    const auto a = value_or_throw(DrawnImages::open(one));
    const auto b = value_or_throw(DrawnImages::open(two));
    const auto& small = a->part(Part::kProbe);
    const auto& large = b->part(Part::kProbe);
    ASSERT_GT(large.pixels.size(), small.pixels.size());
    EXPECT_TRUE(std::equal(small.pixels.begin(), small.pixels.end(), large.pixels.begin()));
}

TEST(DrawnImages, AllTenClassesOccurInEveryPartAndPartsDiffer) {
    const auto set = value_or_throw(DrawnImages::open({.split = {.train = 0.25,
                                                                 .probe = 0.25,
                                                                 .validation = 0.25,
                                                                 .test = 0.25,
                                                                 .train_examples = 200}}));
    std::set<std::string> images;
    for (const Part part : kAllParts) {
        const ImagePart& p = set->part(part);
        EXPECT_EQ(std::set<int>(p.labels.begin(), p.labels.end()).size(), 10U) << to_text(part);
        for (std::size_t i = 0; i < p.labels.size(); ++i) {
            images.emplace(reinterpret_cast<const char*>(&p.pixels[i * kPixels]), kPixels);
        }
    }
    EXPECT_EQ(images.size(), 800U);
}

TEST(DrawnImages, TheMeanPictureDoesNotTellTheClass) {
    // A nearest-mean classifier sees colour and place, which are drawn independently of the class.
    const auto set = value_or_throw(DrawnImages::open({.split = {.train_examples = 2000}}));
    const ImagePart& train = set->part(Part::kTrain);
    std::vector<std::vector<double>> mean(10, std::vector<double>(kPixels));
    std::vector<double> count(10);
    for (std::size_t i = 0; i < train.labels.size(); ++i) {
        count[train.labels[i]] += 1;
        for (std::size_t p = 0; p < kPixels; ++p)
            mean[train.labels[i]][p] += train.pixels[i * kPixels + p];
    }
    const ImagePart& probe = set->part(Part::kProbe);
    std::size_t right = 0;
    for (std::size_t i = 0; i < probe.labels.size(); ++i) {
        std::size_t best = 0;
        double nearest = 1e300;
        for (std::size_t c = 0; c < 10; ++c) {
            double distance = 0;
            for (std::size_t p = 0; p < kPixels; ++p) {
                const double d = mean[c][p] / count[c] - probe.pixels[i * kPixels + p];
                distance += d * d;
            }
            if (distance < nearest) {
                nearest = distance;
                best = c;
            }
        }
        right += best == probe.labels[i];
    }
    EXPECT_LT(static_cast<double>(right) / static_cast<double>(probe.labels.size()), 0.25);
}

TEST(DrawnImages, SharesThatLeaveAPartEmptyAreRefused) {
    EXPECT_TRUE(DrawnImages::open({.split = {.test = 0}}).error().is(DataError::kBadOption));
    EXPECT_TRUE(DrawnImages::open({.split = {.train = 0}}).error().is(DataError::kBadOption));
    EXPECT_TRUE(DrawnImages::open({.split = {.train = 1e-9}}).error().is(DataError::kBadOption));
}

TEST(ImageDataset, TrainIsNormalisedToMeanZeroAndDeviationOne) {
    DrawnOptions options = small_drawn();
    options.layout = ImageLayout::kChannelsFirst;
    const auto set = value_or_throw(DrawnImages::open(options));
    const Images images = read(*set, Part::kTrain, first(400));
    for (std::size_t c = 0; c < 3; ++c) {
        double sum = 0;
        double squares = 0;
        for (std::size_t i = 0; i < 400; ++i) {
            for (std::size_t p = 0; p < 1024; ++p) {
                const double v = images.pixels[i * kPixels + c * 1024 + p];
                sum += v;
                squares += v * v;
            }
        }
        const double n = 400 * 1024;
        EXPECT_NEAR(sum / n, 0, 1e-5);
        EXPECT_NEAR(squares / n, 1, 1e-5);
    }
}

TEST(ImageDataset, ChannelsLastHoldsTheSamePixelsInAnotherOrder) {
    DrawnOptions planar = small_drawn();
    planar.layout = ImageLayout::kChannelsFirst;
    planar.augmentation.cutout = 7;
    DrawnOptions interleaved = planar;
    interleaved.layout = ImageLayout::kChannelsLast;
    const auto a = value_or_throw(DrawnImages::open(planar));
    const auto b = value_or_throw(DrawnImages::open(interleaved));
    const Images x = read(*a, Part::kTrain, first(50), Variation{5, 2});
    const Images y = read(*b, Part::kTrain, first(50), Variation{5, 2});
    for (std::size_t i = 0; i < 50; ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
            for (std::size_t p = 0; p < 1024; ++p) {
                ASSERT_EQ(x.pixels[i * kPixels + c * 1024 + p], y.pixels[i * kPixels + p * 3 + c]);
            }
        }
    }
}

TEST(ImageDataset, AugmentationIsAFunctionOfSeedEpochAndExample) {
    const auto set = value_or_throw(DrawnImages::open(small_drawn()));
    const Images whole = read(*set, Part::kTrain, first(64), Variation{9, 3});
    const Images one = read(*set, Part::kTrain, {41}, Variation{9, 3});
    EXPECT_TRUE(
        std::equal(one.pixels.begin(), one.pixels.end(), whole.pixels.begin() + 41 * kPixels));
    EXPECT_NE(whole.pixels, read(*set, Part::kTrain, first(64), Variation{9, 4}).pixels);
    EXPECT_NE(whole.pixels, read(*set, Part::kTrain, first(64), Variation{8, 3}).pixels);
    EXPECT_EQ(read(*set, Part::kProbe, first(20), Variation{9, 3}).pixels,
              read(*set, Part::kProbe, first(20)).pixels)
        << "only train is augmented";
}

// One channel, 4 × 4, value = 10·row + column; the table makes the byte itself the output.
struct Grid {
    std::array<std::uint8_t, 16> bytes{};
    Normalisation normalisation{{0.0}, {1.0 / 255.0}};
    Grid() {
        for (std::size_t i = 0; i < 16; ++i)
            bytes[i] = static_cast<std::uint8_t>(10 * (i / 4) + i % 4 + 1);
    }
    std::vector<float> placed(const Placement& placement) const {
        std::vector<float> out(16, -1.0F);
        place_image(bytes.data(), 1, 4, 4, placement, normalisation, ImageLayout::kChannelsFirst,
                    out.data());
        for (float& v : out) v = std::round(v * 100) / 100;
        return out;
    }
};

TEST(PlaceImage, ShiftsMirrorsAndCuts) {
    const Grid grid;
    EXPECT_EQ(grid.placed({.right = 1, .down = 2}),
              (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 11, 12, 13}));
    EXPECT_EQ(grid.placed({.flip = true}),
              (std::vector<float>{4, 3, 2, 1, 14, 13, 12, 11, 24, 23, 22, 21, 34, 33, 32, 31}));
    EXPECT_EQ(grid.placed({.flip = true, .right = -1, .down = -3}),
              (std::vector<float>{0, 34, 33, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(grid.placed({.cut_left = -1, .cut_top = 2, .cut = 3}),
              (std::vector<float>{1, 2, 3, 4, 11, 12, 13, 14, 0, 0, 23, 24, 0, 0, 33, 34}));
    EXPECT_EQ(grid.placed({.right = 9, .down = -9}), std::vector<float>(16, 0.0F));
}

TEST(PlaceImage, EveryShiftAndBothMirrorsAreDrawn) {
    std::set<std::array<int, 3>> seen;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        const Placement p = draw_placement({.shift = 2}, {1, 0}, i, 32, 32);
        ASSERT_LE(std::abs(p.right), 2);
        ASSERT_LE(std::abs(p.down), 2);
        seen.insert({p.flip, p.right, p.down});
    }
    EXPECT_EQ(seen.size(), 50U);
    const Placement off = draw_placement({.flip = false, .shift = 0}, {1, 0}, 3, 32, 32);
    EXPECT_FALSE(off.flip);
    EXPECT_EQ(off.right, 0);
    EXPECT_EQ(off.cut, 0);
}

// A folder with CIFAR-10's six files whose records carry their own number in the first pixels.
class CifarFiles : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::create_directories(folder_ / "cifar-10-batches-bin");
        for (int b = 0; b < 6; ++b) write(b, std::string(10000 * 3073, '\0'));
    }

    std::filesystem::path file(int batch) const {
        return folder_ / "cifar-10-batches-bin" /
               (batch == 5 ? "test_batch.bin" : "data_batch_" + std::to_string(batch + 1) + ".bin");
    }
    void write(int batch, std::string bytes) {
        for (std::size_t i = 0; (i + 1) * 3073 <= bytes.size() && bytes[0] < 10; ++i) {
            const std::size_t number = static_cast<std::size_t>(batch) * 10000 + i;
            bytes[i * 3073] = static_cast<char>(number % 10);
            for (std::size_t k = 0; k < 3; ++k)
                bytes[i * 3073 + 1 + k] = static_cast<char>((number >> (8 * k)) & 255);
        }
        std::ofstream(file(batch), std::ios::binary) << bytes;
    }
    static std::uint32_t number(const ImagePart& part, std::size_t i) {
        return part.pixels[i * kPixels] | (std::uint32_t{part.pixels[i * kPixels + 1]} << 8) |
               (std::uint32_t{part.pixels[i * kPixels + 2]} << 16);
    }
    TemporaryFolder folder_;
};

TEST_F(CifarFiles, PartsAreDisjointCompleteAndTheSameEveryTime) {
    const auto set = value_or_throw(Cifar10::open({.folder = folder_.path()}));
    EXPECT_EQ(set->size(Part::kTrain), 42500U);
    EXPECT_EQ(set->size(Part::kProbe), 5000U);
    EXPECT_EQ(set->size(Part::kValidation), 2500U);
    EXPECT_EQ(set->size(Part::kTest), 10000U);
    std::set<std::uint32_t> seen;
    for (const Part part : kAllParts) {
        const ImagePart& p = set->part(part);
        for (std::size_t i = 0; i < p.labels.size(); ++i) {
            const std::uint32_t n = number(p, i);
            ASSERT_EQ(p.labels[i], n % 10);
            EXPECT_EQ(n >= 50000, part == Part::kTest);
            seen.insert(n);
        }
    }
    EXPECT_EQ(seen.size(), 60000U);
    const auto fewer = value_or_throw(Cifar10::open(
        {.folder = folder_ / "cifar-10-batches-bin", .split = {.train_examples = 100}}));
    EXPECT_EQ(fewer->size(Part::kTrain), 100U);
    EXPECT_EQ(fewer->part(Part::kProbe).pixels, set->part(Part::kProbe).pixels);
    EXPECT_NE(fewer->info().fingerprint, set->info().fingerprint);
}

TEST_F(CifarFiles, MissingShortAndDamagedFilesAreToldApart) {
    const auto error = [&] { return Cifar10::open({.folder = folder_.path()}).error(); };
    std::string bytes(10000 * 3073, '\0');
    bytes[0] = 10;
    write(2, bytes);
    EXPECT_TRUE(error().is(DataError::kCorrupt));
    EXPECT_NE(error().message().find("data_batch_3.bin"), std::string::npos);
    write(2, std::string(5000, '\0'));
    EXPECT_TRUE(error().is(DataError::kTruncated));
    std::filesystem::remove(file(5));
    write(2, std::string(10000 * 3073, '\0'));
    EXPECT_TRUE(error().is(DataError::kMissing));
    EXPECT_EQ(error().exit_code(), 3);
    EXPECT_NE(error().message().find("test_batch.bin"), std::string::npos);
    EXPECT_NE(error().message().find("data.path"), std::string::npos);
    EXPECT_TRUE(Cifar10::open({.folder = folder_.path(), .split = {.train = 0, .probe = 0.99}})
                    .error()
                    .is(DataError::kBadOption));
}

}  // namespace
}  // namespace esper::tolaria
