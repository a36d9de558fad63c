// Python's library is the reference in tests/python/test_tokenizers.py; here are the parts alone.
#include "esper/services/tolaria/data/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "esper/services/tolaria/data/bpe_merges.h"
#include "esper/services/tolaria/data/word_pattern.h"

namespace esper::tolaria {
namespace {

using nlohmann::json;
using Tokens = std::vector<std::uint32_t>;

json small_file() {
    return {{"model",
             {{"type", "BPE"},
              {"vocab", {{"a", 0}, {"b", 1}, {"Ġ", 2}, {"ab", 3}, {"Ġab", 4}, {"aa", 5}}},
              {"merges", {"a b", "Ġ ab", "a a"}}}},
            {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
            {"added_tokens", {{{"id", 6}, {"content", "<end>"}, {"special", true}}}}};
}

Tokens encode(const json& file, std::string_view text) {
    return value_or_throw(value_or_throw(parse_bpe(file.dump()))->encode(text));
}

std::string refusal(const json& file) {
    const auto parsed = parse_bpe(file.dump());
    return parsed ? "" : std::string(parsed.error().message());
}

TEST(Bpe, MergesThePairThatWasLearntFirst) {
    // aab: "a b" comes before "a a", so it is a + ab.
    EXPECT_EQ(encode(small_file(), "aab ab aaa"), (Tokens{0, 3, 4, 2, 5, 0}));
}

TEST(Bpe, EveryByteNeedsAToken) {
    const auto tokenizer = value_or_throw(parse_bpe(small_file().dump()));
    EXPECT_EQ(value_or_throw(tokenizer->encode("ab<end>ab")), (Tokens{3, 6, 3}));
    EXPECT_EQ(tokenizer->pieces()[6], "<end>");
    EXPECT_EQ(tokenizer->pieces()[4], " ab");
    const auto unknown = tokenizer->encode("abc");
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(DataError::kCorrupt));
    EXPECT_TRUE(tokenizer->encode("ab\xFF").error().is(DataError::kNotText));
}

TEST(Bpe, WhatIsNotBuiltIsNamed) {
    auto file = small_file();
    file["normalizer"] = {{"type", "Lowercase"}};
    EXPECT_NE(refusal(file).find("normalizer, 'Lowercase'"), std::string::npos);
    file = small_file();
    file["model"]["type"] = "WordPiece";
    EXPECT_NE(refusal(file).find("'WordPiece'"), std::string::npos);
    file = small_file();
    file["pre_tokenizer"] = {{"type", "Whitespace"}};
    EXPECT_NE(refusal(file).find("'Whitespace'"), std::string::npos);
    file = small_file();
    file.erase("pre_tokenizer");
    EXPECT_NE(refusal(file), "");
    file = small_file();
    file["model"]["byte_fallback"] = true;
    EXPECT_NE(refusal(file).find("'byte_fallback'"), std::string::npos);
}

TEST(Bpe, DamagedFilesAreRefused) {
    EXPECT_TRUE(parse_bpe("no json").error().is(DataError::kCorrupt));
    EXPECT_TRUE(parse_bpe("[1]").error().is(DataError::kCorrupt));
    auto file = small_file();
    file["model"]["merges"].push_back("a x");
    EXPECT_NE(refusal(file).find("merge 3"), std::string::npos);
    file = small_file();
    file["model"]["vocab"]["ab"] = -1;
    EXPECT_NE(refusal(file).find("no number"), std::string::npos);
    file = small_file();
    file["model"]["vocab"]["ab"] = 4'000'000'000U;
    EXPECT_NE(refusal(file), "");
    file = small_file();
    file["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}}}}};
    EXPECT_NE(refusal(file).find("no regular expression"), std::string::npos);
}

TEST(Bytes, EachByteIsAToken) {
    const auto tokenizer = byte_tokenizer();
    EXPECT_EQ(value_or_throw(tokenizer->encode("a\xFFz")), (Tokens{97, 255, 122}));
    EXPECT_EQ(tokenizer->pieces().size(), 256U);
}

TEST(WordPattern, DividesIntoWhatFitsAndWhatLiesBetween) {
    const auto words = value_or_throw(WordPattern::compile(R"(\p{L}+)"));
    EXPECT_EQ(value_or_throw(words.divide("12 größer, ja")),
              (std::vector<std::string_view>{"12 ", "größer", ", ", "ja"}));
    const auto nothing = value_or_throw(WordPattern::compile("x*"));
    EXPECT_EQ(value_or_throw(nothing.divide("äxb")),
              (std::vector<std::string_view>{"ä", "x", "b"}));
}

TEST(WordPattern, WorkWithoutEndIsStopped) {
    const auto slow = value_or_throw(WordPattern::compile("(a+)+$"));
    const auto words = slow.divide(std::string(60, 'a') + "b");
    ASSERT_FALSE(words);
    EXPECT_TRUE(words.error().is(DataError::kTooLarge));
}

}  // namespace
}  // namespace esper::tolaria
