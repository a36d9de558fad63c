#include "esper/services/tolaria/data/vocabulary.h"

#include <gtest/gtest.h>

#include "esper/services/tolaria/data/utf8.h"

namespace esper::tolaria {
namespace {

TEST(Vocabulary, TokensFollowTheOrderOfTheCharacters) {
    const Vocabulary v = value_or_throw(Vocabulary::of_text("banana ß"));
    EXPECT_EQ(v.characters(), (std::vector<std::string>{" ", "a", "b", "n", "ß"}));
    EXPECT_EQ(value_or_throw(v.encode("nabß")), (std::vector<std::uint32_t>{3, 1, 2, 4}));
}

TEST(Vocabulary, DecodingUndoesEncoding) {
    const std::string text = "Größe 漢字 🌱 x";
    const Vocabulary v = value_or_throw(Vocabulary::of_text(text));
    const auto tokens = value_or_throw(v.encode(text));
    EXPECT_EQ(v.decode(std::vector<std::int64_t>(tokens.begin(), tokens.end())), text);
    const Vocabulary again = value_or_throw(Vocabulary::of_characters(v.characters()));
    EXPECT_EQ(value_or_throw(again.encode(text)), tokens);
}

TEST(Vocabulary, AnUnknownTokenDecodesToTheReplacementCharacter) {
    const Vocabulary v = value_or_throw(Vocabulary::of_text("ab"));
    EXPECT_EQ(v.decode(std::vector<std::int64_t>{0, 99, -1, 1}), "a\uFFFD\uFFFDb");
}

TEST(Vocabulary, BadTextNamesTheOffset) {
    const auto v = Vocabulary::of_text("good\xFFtext");
    ASSERT_FALSE(v);
    EXPECT_TRUE(v.error().is(DataError::kNotText));
    EXPECT_NE(v.error().message().find("offset 4"), std::string::npos);
    EXPECT_FALSE(value_or_throw(Vocabulary::of_text("ab")).encode("a\xC0"));
}

TEST(Vocabulary, ForeignCharactersAndBrokenListsAreRefused) {
    const Vocabulary v = value_or_throw(Vocabulary::of_text("ab"));
    EXPECT_TRUE(v.encode("abc").error().is(DataError::kCorrupt));
    const std::vector<std::string> twice = {"a", "b", "a"};
    EXPECT_TRUE(Vocabulary::of_characters(twice).error().is(DataError::kCorrupt));
    const std::vector<std::string> word = {"a", "bc"};
    EXPECT_TRUE(Vocabulary::of_characters(word).error().is(DataError::kCorrupt));
    EXPECT_TRUE(Vocabulary::of_text("aaaa").error().is(DataError::kTooSmall));
}

TEST(Vocabulary, AFewUnknownCharactersBecomeAMarkAndManyAreRefused) {
    const Vocabulary v = value_or_throw(Vocabulary::of_text("?ab"));
    const std::string known(300, 'a');
    const auto few = value_or_throw(v.encode_known(known + "é" + "bz"));
    EXPECT_EQ(few.replaced, 2U);
    ASSERT_EQ(few.tokens.size(), 303U);
    EXPECT_EQ(few.tokens[300], 0U);  // the mark
    EXPECT_EQ(few.tokens[301], 2U);
    const auto many = v.encode_known("ababzzéb");
    ASSERT_FALSE(many);
    EXPECT_TRUE(many.error().is(DataError::kCorrupt));
    EXPECT_NE(many.error().message().find("'z' 2 times"), std::string::npos);
}

TEST(Utf8, EveryCodePointSurvives) {
    for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x900 ? 1 : 37) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        const std::string text = encode_utf8(c);
        const Utf8Step step = decode_utf8(text, 0);
        ASSERT_EQ(step.code_point, c);
        ASSERT_EQ(step.length, text.size());
    }
}

TEST(Utf8, OverlongSurrogateAndCutFormsAreNotText) {
    for (const char* bad : {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                            "\xF5\x80\x80\x80", "\xE2\x82", "\xF0\x9F\x8C", "\xC3("}) {
        EXPECT_EQ(decode_utf8(bad, 0).length, 0U) << bad;
    }
}

}  // namespace
}  // namespace esper::tolaria
