#include "esper/services/tolaria/data/image_operations.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "esper/services/tolaria/data/rand_augment.h"

namespace esper::tolaria {
namespace {

std::vector<std::uint8_t> bytes_of(const std::string& hex) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return bytes;
}

// Made by tests/python/make_image_operations.py.
TEST(ImageOperations, AreThoseOfPillowToTheByte) {
    std::ifstream file(std::filesystem::path(ESPER_SOURCE_DIR) /
                       "tests/fixtures/image_operations.json");
    const auto fixture = nlohmann::json::parse(file);
    const auto source = bytes_of(fixture["pixels"]);
    std::set<int> operations;
    for (const auto& one : fixture["cases"]) {
        auto pixels = source;
        rand_augment_operation({pixels, 3, fixture["height"], fixture["width"]}, one["operation"],
                               one["magnitude"], one["negative"]);
        EXPECT_EQ(pixels, bytes_of(one["pixels"]))
            << "operation " << one["operation"] << ", magnitude " << one["magnitude"]
            << (one["negative"] ? ", negative" : "");
        operations.insert(one["operation"].get<int>());
    }
    EXPECT_EQ(operations.size(), static_cast<std::size_t>(kRandAugmentOperations));
}

TEST(ImageOperations, AnImageOfOneChannelIsGrey) {
    std::vector<std::uint8_t> pixels{10, 20, 30, 40, 50, 60, 70, 80, 90};
    change_contrast({pixels, 1, 3, 3}, 0.0);
    EXPECT_EQ(pixels, std::vector<std::uint8_t>(9, 50));
    pixels = {10, 20, 30, 40};
    change_colour({pixels, 1, 2, 2}, 0.0);
    EXPECT_EQ(pixels, (std::vector<std::uint8_t>{10, 20, 30, 40}));
}

TEST(RandAugment, IsAPureFunctionOfItsStreamAndDrawsEveryOperation) {
    std::vector<std::uint8_t> source(3 * 16 * 16);
    for (std::size_t i = 0; i < source.size(); ++i)
        source[i] = static_cast<std::uint8_t>(30 + i * 37 % 190);
    std::set<std::vector<std::uint8_t>> seen;
    for (std::uint32_t example = 0; example < 200; ++example) {
        auto once = source;
        auto again = source;
        RandomStream first(5, "randaugment", 2, example);
        RandomStream second(5, "randaugment", 2, example);
        rand_augment({once, 3, 16, 16}, 1, 9, first);
        rand_augment({again, 3, 16, 16}, 1, 9, second);
        EXPECT_EQ(once, again);
        seen.insert(once);
    }
    // Fourteen, nine of which have a sign; some signs make no difference here.
    EXPECT_GE(seen.size(), 20U);
    EXPECT_LE(seen.size(), 23U);
}

}  // namespace
}  // namespace esper::tolaria
