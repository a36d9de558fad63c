#include "esper/base/printable_text.h"

#include <gtest/gtest.h>

namespace esper {
namespace {

TEST(PrintableText, LeavesTextsOfAnyLanguageAlone) {
    EXPECT_EQ(printable("Größe → 5 µm"), "Größe → 5 µm");
    EXPECT_EQ(printable("a\tb"), "a b");
}

TEST(PrintableText, ShowsWhatDrivesATerminal) {
    EXPECT_EQ(printable("\033[2J\r\n"), "\\x1b[2J\\x0d\\x0a");
    EXPECT_EQ(printable("\x7f"), "\\x7f");
    // U+009B, the one character that begins a sequence alone.
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "\\xc2\\x9b31m");
    EXPECT_EQ(printable("\xc2\xa0"), "\xc2\xa0");
}

TEST(PrintableText, ShowsWhatWouldTurnTheText) {
    EXPECT_EQ(printable("gpj.\u202eexe"), "gpj.\\xe2\\x80\\xaeexe");
    for (const char* mark :
         {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u2066", "\u2069"})
        EXPECT_EQ(printable(mark).front(), '\\') << mark;
    for (const char* text : {"\u200d", "\u2027", "\u202f", "\u2065", "\u206a", "שלום"})
        EXPECT_EQ(printable(text), text);
}

TEST(PrintableText, ShowsBytesThatAreNoText) { EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe"); }

TEST(PrintableText, CutsALongTextBetweenItsCharacters) {
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("abcd", 3), "abc…");
    EXPECT_EQ(printable("abä", 3), "ab…");
    EXPECT_EQ(printable("abä", 4), "abä");
    EXPECT_EQ(in_quotes("\033[31m" + std::string(80, 'x'), 6), "'\\x1b[31mx…'");
    EXPECT_EQ(in_quotes(std::string(61, 'x')), "'" + std::string(60, 'x') + "…'");
}

}  // namespace
}  // namespace esper
