#include "esper/services/records/printable_text.h"

#include <gtest/gtest.h>

namespace esper::records {
namespace {

TEST(ShellText, ACommandCanBePasted) {
    EXPECT_EQ(command_with("esper resume", "runs/a-1.2"), "'esper resume runs/a-1.2'");
    EXPECT_EQ(command_with("esper resume", "r;touch x"), "esper resume 'r;touch x'");
    EXPECT_EQ(shell_word("it's $HOME"), "'it'\\''s $HOME'");
    EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace esper::records
