#include "esper/services/tolaria/data/text_dataset.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::tolaria {
namespace {

// Places in this text can be told from its characters, so that overlaps show.
std::string counting_text(std::size_t length) {
    std::string text;
    for (std::size_t i = 0; text.size() < length; ++i) text += std::to_string(i) + ' ';
    text.resize(length);
    return text;
}

struct Windows {
    std::vector<std::int64_t> inputs;
    std::vector<std::int64_t> targets;
};

Windows read(const Dataset& set, Part part, std::vector<std::uint32_t> indices,
             std::optional<Variation> variation = std::nullopt) {
    Windows windows;
    const auto n = indices.size() * static_cast<std::size_t>(set.info().input_elements());
    windows.inputs.resize(n);
    windows.targets.resize(n);
    const Status status = set.fill(part, indices, variation, {.tokens = windows.inputs.data()},
                                   {.classes = windows.targets.data()});
    EXPECT_TRUE(status) << (status ? "" : status.error().to_string());
    return windows;
}

std::vector<std::uint32_t> all_of(const Dataset& set, Part part) {
    std::vector<std::uint32_t> indices(set.size(part));
    std::iota(indices.begin(), indices.end(), 0U);
    return indices;
}

TEST(TextDataset, TargetsAreTheNextCharacters) {
    const auto set = value_or_throw(TextDataset::of_text(counting_text(4000), {.context = 16}));
    for (const Part part : kAllParts) {
        const Windows w = read(*set, part, {0, 1});
        for (std::size_t i = 0; i + 1 < 16; ++i) EXPECT_EQ(w.targets[i], w.inputs[i + 1]);
        EXPECT_EQ(w.targets[15], w.inputs[16]) << "windows of a part stand side by side";
    }
}

TEST(TextDataset, PartsShareNoCharacterAndKeepTheOrderOfTheFile) {
    const std::string text = counting_text(5000);
    const auto set = value_or_throw(TextDataset::of_text(text, {.context = 10}));
    std::string joined;
    std::size_t from = 0;
    for (const Part part : kAllParts) {
        const std::string piece =
            set->vocabulary().decode(read(*set, part, all_of(*set, part)).inputs);
        const std::size_t at = text.find(piece, from);
        ASSERT_NE(at, std::string::npos) << to_text(part);
        EXPECT_GE(at, from);
        // The last window's last target still belongs to the part.
        from = at + piece.size() + 1;
    }
    EXPECT_LE(from, text.size() + 1);
}

TEST(TextDataset, TrainWindowsVaryByEpochAndStayInTrain) {
    const std::string text = counting_text(5000);
    const auto set = value_or_throw(TextDataset::of_text(text, {.context = 20}));
    const std::string train = text.substr(0, 4000);
    const auto indices = all_of(*set, Part::kTrain);
    const Windows first = read(*set, Part::kTrain, indices, Variation{1, 0});
    EXPECT_EQ(first.inputs, read(*set, Part::kTrain, indices, Variation{1, 0}).inputs);
    EXPECT_NE(first.inputs, read(*set, Part::kTrain, indices, Variation{1, 1}).inputs);
    EXPECT_NE(first.inputs, read(*set, Part::kTrain, indices, Variation{2, 0}).inputs);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        std::vector<std::int64_t> window(
            first.inputs.begin() + static_cast<std::ptrdiff_t>(i * 20),
            first.inputs.begin() + static_cast<std::ptrdiff_t>(i * 20 + 20));
        window.push_back(first.targets[i * 20 + 19]);
        EXPECT_NE(train.find(set->vocabulary().decode(window)), std::string::npos);
    }
    EXPECT_EQ(read(*set, Part::kProbe, {0}, Variation{1, 0}).inputs,
              read(*set, Part::kProbe, {0}).inputs)
        << "only train varies";
}

TEST(TextDataset, TheBundledTextOpensByDefault) {
    const auto set = value_or_throw(open_dataset({.context = 64}));
    EXPECT_EQ(set->info().classes, 65);
    EXPECT_EQ(set->info().input_shape, std::vector<std::int64_t>{64});
    EXPECT_GT(set->size(Part::kProbe), 1500U);
    EXPECT_GT(set->size(Part::kTrain), 10000U);
}

TEST(TextDataset, TheFingerprintFollowsTextContextAndSplit) {
    const auto of = [](const std::string& text, std::uint32_t context, Split split) {
        return value_or_throw(TextDataset::of_text(text, {.context = context, .split = split}))
            ->info()
            .fingerprint;
    };
    const std::string text = counting_text(4000);
    const std::string base = of(text, 16, {});
    EXPECT_EQ(base, of(text, 16, {}));
    EXPECT_NE(base, of(text, 17, {}));
    EXPECT_NE(base, of(counting_text(4001), 16, {}));
    EXPECT_NE(base, of(text, 16, {.train = 0.7}));
    EXPECT_NE(base, of(text, 16, {.train_examples = 5}));
}

TEST(TextDataset, TooShortATextIsAnErrorThatSaysWhatToDo) {
    const auto set = TextDataset::of_text("abcabcabcabc", {.context = 16});
    ASSERT_FALSE(set);
    EXPECT_TRUE(set.error().is(DataError::kTooSmall));
    EXPECT_EQ(set.error().exit_code(), 3);
    EXPECT_NE(set.error().message().find("shorter data.context"), std::string::npos);
}

TEST(TextDataset, AMissingFileNamesThePathAndTheKey) {
    const auto set = open_dataset({.path = "no/such/file.txt"});
    ASSERT_FALSE(set);
    EXPECT_TRUE(set.error().is(DataError::kMissing));
    EXPECT_NE(set.error().message().find("no/such/file.txt"), std::string::npos);
    EXPECT_NE(set.error().message().find("data.path"), std::string::npos);
}

TEST(TextDataset, BadOptionsAreRefused) {
    const std::string text = counting_text(4000);
    const auto code = [&](const TextOptions& options) {
        return TextDataset::of_text(text, options).error();
    };
    EXPECT_TRUE(code({.context = 0}).is(DataError::kBadOption));
    EXPECT_TRUE(
        code({.context = 8, .split = {.train = 0.9, .probe = 0.3}}).is(DataError::kBadOption));
    EXPECT_TRUE(code({.context = 8, .split = {.probe = -0.1}}).is(DataError::kBadOption));
    EXPECT_TRUE(code({.context = 8, .split = {.test = 0}}).is(DataError::kTooSmall));
}

TEST(TextDataset, AnExampleOutsideItsPartIsAnError) {
    const auto set = value_or_throw(TextDataset::of_text(counting_text(4000), {.context = 16}));
    std::vector<std::int64_t> buffer(16);
    const std::vector<std::uint32_t> indices = {set->size(Part::kTest)};
    const Status status = set->fill(Part::kTest, indices, std::nullopt, {.tokens = buffer.data()},
                                    {.classes = buffer.data()});
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(DataError::kBadIndex));
}

TEST(OpenDataset, AMistypedNameGetsASuggestion) {
    const auto set = open_dataset({.name = "cifar01"});
    ASSERT_FALSE(set);
    EXPECT_TRUE(set.error().is(DataError::kUnknownName));
    EXPECT_EQ(set.error().exit_code(), 2);
    EXPECT_NE(set.error().message().find("cifar10"), std::string::npos);
}

}  // namespace
}  // namespace esper::tolaria
