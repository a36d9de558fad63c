#include "esper/services/records/printable_text.h"

#include <gtest/gtest.h>

namespace esper::records {
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

TEST(PrintableText, ACommandCanBePasted) {
    EXPECT_EQ(command_with("esper resume", "runs/a-1.2"), "'esper resume runs/a-1.2'");
    EXPECT_EQ(command_with("esper resume", "r;touch x"), "esper resume 'r;touch x'");
    EXPECT_EQ(shell_word("it's $HOME"), "'it'\\''s $HOME'");
    EXPECT_EQ(shell_word(""), "''");
}

TEST(PrintableText, ShowsBytesThatAreNoText) { EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe"); }

}  // namespace
}  // namespace esper::records
