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
