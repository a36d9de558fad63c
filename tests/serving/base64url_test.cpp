#include "esper/services/serving/base64url.h"

#include <gtest/gtest.h>

namespace esper::serving {
namespace {

TEST(Base64Url, BytesHaveOneText) {
    EXPECT_EQ(base64url_decode(""), "");
    EXPECT_EQ(base64url_decode("Zg"), "f");  // RFC 4648, section 10, without padding
    EXPECT_EQ(base64url_decode("Zm8"), "fo");
    EXPECT_EQ(base64url_decode("Zm9v"), "foo");
    EXPECT_EQ(base64url_decode("Zm9vYg"), "foob");
    EXPECT_EQ(base64url_decode("-_-_"), "\xfb\xff\xbf");
    EXPECT_EQ(base64url_decode("AAAA"), std::string(3, '\0'));
}

TEST(Base64Url, AnotherTextForTheSameBytesIsNone) {
    for (const char* text : {"Zg==", "Zm8=", "Zh", "Zm9", "Zm9vYh", "Z", "Zm9vY", "+/+/", "Zm9v\n",
                             " Zm9v", "Zm 9v", "Zm9v=", "Zm9v.", "\xc3\xa9\xc3\xa9"})
        EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace esper::serving
