#include "esper/base/hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "esper/base/random.h"

namespace esper {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

// NIST's example values for FIPS 180-4.
TEST(Sha256, GivesThePublishedDigests) {
    EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256("abc").hex(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sha256(std::string(1000000, 'a')).hex(),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesHashLikeTheWhole) {
    Sha256Hasher hasher;
    hasher.update("a").update(bytes_of("b")).update("").update("c");
    EXPECT_EQ(hasher.finish(), sha256("abc"));
}

TEST(Sha256, AFinishedHasherStartsAfresh) {
    Sha256Hasher hasher;
    hasher.update("something else").finish();
    EXPECT_EQ(hasher.update("abc").finish(), sha256("abc"));
}

TEST(Sha256, AMovedHasherGoesOn) {
    Sha256Hasher first;
    first.update("ab");
    Sha256Hasher second = std::move(first);
    second.update("c");
    EXPECT_EQ(second.finish(), sha256("abc"));
}

TEST(Sha256, FieldsDoNotRunIntoEachOther) {
    const auto pair = [](std::string_view a, std::string_view b) {
        return Sha256Hasher().update_field(a).update_field(b).finish();
    };
    EXPECT_EQ(pair("ab", "c"), pair("ab", "c"));
    EXPECT_NE(pair("ab", "c"), pair("a", "bc"));
    EXPECT_NE(pair("", "abc"), pair("abc", ""));
}

TEST(Sha256, IntegersAreHashedLittleEndian) {
    using namespace std::string_view_literals;
    EXPECT_EQ(Sha256Hasher().update_u64(0x0102030405060708).finish(),
              sha256("\x08\x07\x06\x05\x04\x03\x02\x01"sv));
}

TEST(Sha256, ThePrefixIsTheFirstSixteenDigits) {
    EXPECT_EQ(sha256("abc").prefix64(), 0xba7816bf8f01cfeaU);
}

using Checksum = std::uint32_t (*)(std::span<const std::byte>, std::uint32_t);

class Crc32c : public ::testing::TestWithParam<Checksum> {};
INSTANTIATE_TEST_SUITE_P(, Crc32c, ::testing::Values(&crc32c, &crc32c_portable),
                         [](const auto& test) { return test.index == 0 ? "fast" : "portable"; });

// RFC 3720, appendix B.4.
TEST_P(Crc32c, GivesThePublishedChecksums) {
    const auto crc = [&](const std::vector<std::uint8_t>& data) {
        return GetParam()(std::as_bytes(std::span(data)), 0);
    };
    std::vector<std::uint8_t> counting(32);
    std::iota(counting.begin(), counting.end(), std::uint8_t{0});
    EXPECT_EQ(crc(std::vector<std::uint8_t>(32, 0x00)), 0x8a9136aaU);
    EXPECT_EQ(crc(std::vector<std::uint8_t>(32, 0xff)), 0x62a8ab43U);
    EXPECT_EQ(crc(counting), 0x46dd794eU);
    EXPECT_EQ(crc({counting.rbegin(), counting.rend()}), 0x113fdb5cU);
    const std::vector<std::uint8_t> read_command{
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_EQ(crc(read_command), 0xd9963a56U);
    EXPECT_EQ(GetParam()(bytes_of("123456789"), 0), 0xe3069283U);
    EXPECT_EQ(crc({}), 0U);
}

TEST_P(Crc32c, PiecesChainToTheWhole) {
    const std::string_view text = "a checksum may be taken piece by piece";
    const std::uint32_t whole = GetParam()(bytes_of(text), 0);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const std::uint32_t head = GetParam()(bytes_of(text.substr(0, cut)), 0);
        EXPECT_EQ(GetParam()(bytes_of(text.substr(cut)), head), whole) << "cut at " << cut;
    }
}

TEST(Crc32cPaths, AgreeOnEveryLengthAndAlignment) {
    RandomStream random(9, "crc");
    std::vector<std::uint8_t> data(300);
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random.next_u32());
    const auto bytes = std::as_bytes(std::span(data));
    for (std::size_t start = 0; start < 9; ++start) {
        for (std::size_t length = 0; start + length <= data.size(); ++length) {
            const auto part = bytes.subspan(start, length);
            ASSERT_EQ(crc32c(part), crc32c_portable(part)) << start << " + " << length;
        }
    }
}

}  // namespace
}  // namespace esper
