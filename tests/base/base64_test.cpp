#include "esper/base/base64.h"

#include <gtest/gtest.h>

namespace esper {
namespace {

// RFC 4648, section 10.
TEST(Base64, IsThatOfTheStandard) {
    const std::pair<std::string_view, std::string_view> known[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : known) EXPECT_EQ(base64_of(bytes), text);
    EXPECT_EQ(base64_of(std::string_view("\xfb\xff\xbf")), "+/+/");
}

}  // namespace
}  // namespace esper
