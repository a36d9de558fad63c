// The worked examples of "Authenticating Requests: Using the Authorization Header" in the Amazon S3
// API reference.
#include "esper/utils/sigv4.h"

#include <gtest/gtest.h>

#include "esper/base/hash.h"
#include "esper/utils/s3_xml.h"

namespace esper::utils {
namespace {

const AwsCredentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

std::string signature_of(SigningInput in, std::string_view payload = "") {
    const std::string hash = sha256(payload).hex();
    in.host = "examplebucket.s3.amazonaws.com";
    in.payload_sha256 = hash;
    in.region = "us-east-1";
    in.timestamp = "20130524T000000Z";
    const std::string header = sign(in, kExample).headers.back().second;
    return header.substr(header.find("Signature=") + 10);
}

TEST(SigV4, AgreesWithThePublishedExamples) {
    EXPECT_EQ(
        signature_of({.method = "GET", .path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    EXPECT_EQ(signature_of({.method = "PUT",
                            .path = "/test$file.text",
                            .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                        {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                           "Welcome to Amazon S3."),
              "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    EXPECT_EQ(signature_of({.method = "GET", .path = "/", .query = {{"lifecycle", ""}}}),
              "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    EXPECT_EQ(
        signature_of({.method = "GET", .path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}}),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, EncodesEveryByteThatIsNotUnreserved) {
    EXPECT_EQ(uri_encode("a-b_c.d~e/f g+ü", true), "a-b_c.d~e/f%20g%2B%C3%BC");
    EXPECT_EQ(uri_encode("/", false), "%2F");
    const SignedRequest r = sign({.method = "GET",
                                  .host = "h",
                                  .path = "/b/a b",
                                  .query = {{"z", "1"}, {"a", "x/y"}},
                                  .timestamp = "20130524T000000Z"},
                                 kExample);
    EXPECT_EQ(r.path_and_query, "/b/a%20b?a=x%2Fy&z=1");
}

TEST(SigV4, WhiteSpaceInsideAHeaderDoesNotChangeTheSignature) {
    EXPECT_EQ(signature_of({.method = "GET", .path = "/", .headers = {{"x-a", "  one   two "}}}),
              signature_of({.method = "GET", .path = "/", .headers = {{"x-a", "one two"}}}));
}

TEST(SigV4, TemporaryCredentialsSendTheirToken) {
    AwsCredentials c = kExample;
    c.session_token = "tok";
    const SignedRequest r =
        sign({.method = "GET", .host = "h", .path = "/", .timestamp = "20130524T000000Z"}, c);
    EXPECT_NE(r.headers.back().second.find("x-amz-security-token"), std::string::npos);
}

TEST(SigV4, WritesTimesTheWayAmazonDoes) {
    EXPECT_EQ(amz_timestamp(1'369'353'600'123'456'789), "20130524T000000Z");
}

TEST(S3Xml, FindsElementsAndResolvesEntities) {
    const std::string xml =
        "<A><KeyCount>2</KeyCount><Key>a&amp;b&lt;&gt;&quot;&apos;&#228;&#xe4;</Key><Key/>"
        "<Key x=\"1\">c &unknown; &#0; & d</Key><Open></A>";
    EXPECT_EQ(xml_elements(xml, "Key").size(), 3u);
    EXPECT_EQ(xml_text(xml, "Key"), "a&b<>\"'ää");
    EXPECT_EQ(xml_text("<K>c &unknown; &#0; & d</K>", "K"), "c &unknown; &#0; & d");
    EXPECT_EQ(xml_text(xml, "Open"), std::nullopt);
    EXPECT_EQ(xml_text("<Unclosed", "Unclosed"), std::nullopt);
    EXPECT_EQ(xml_escape("<&>x"), "&lt;&amp;&gt;x");
}

}  // namespace
}  // namespace esper::utils
