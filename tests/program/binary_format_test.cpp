#include "esper/program/binary/binary_format.h"

#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "esper/base/hash.h"
#include "esper/program/binary/byte_reader.h"
#include "esper/program/text/text_format.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

// The bytes with a corrected checksum, so that readers get past it.
std::string with_checksum(std::string bytes) {
    bytes.resize(bytes.size() - 4);
    std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
    for (int i = 0; i < 4; ++i, crc >>= 8) bytes.push_back(static_cast<char>(crc));
    return bytes;
}

void expect_refused(std::string_view bytes, GraphError code, std::string_view words) {
    const auto read = from_binary(bytes);
    ASSERT_FALSE(read) << words;
    EXPECT_TRUE(read.error().is(code)) << read.error().to_string();
    EXPECT_NE(read.error().message().find(words), std::string::npos) << read.error().to_string();
}

TEST(BinaryForm, CarriesEverythingThereIs) {
    for (const auto& program : {one_of_everything(), small_host(), small_blueprint()}) {
        const std::string bytes = to_binary(*program);
        const auto read = parse_binary(bytes);
        ASSERT_TRUE(read) << read.error().to_string();
        EXPECT_EQ(to_text(**read), to_text(*program));
        EXPECT_EQ(to_binary(**read), bytes);
        EXPECT_EQ((*read)->hash(), program->hash());
    }
    EXPECT_LT(to_binary(*small_host()).size(), to_text(*small_host()).size());
}

TEST(BinaryForm, StaysAsItIs) {
    Hand h("p");
    const auto x = h.input("x", f32({-1}));
    h.output("y", h.call("aten::relu", {x}, "a"));
    const std::string bytes = to_binary(*h.make());
    std::string hex;
    for (const char signed_byte : bytes) {
        const auto c = static_cast<unsigned char>(signed_byte);
        hex += "0123456789abcdef"[c >> 4];
        hex += "0123456789abcdef"[c & 15];
    }
    // Magic, version 1.0, nine sections, checksum: a change here needs a new version of the form.
    EXPECT_EQ(hex,
              "455350525052"
              "4f47010000000900000053545253"
              "0e00000000000000020a6174656e3a3a72656c750161"
              "4e414d4502000000000000000170"
              "494e505406000000000000000101780001"
              "015041524d010000000000000000"
              "42554646010000000000000000"
              "4354524c010000000000000000"
              "43414c4c08000000000000000101020"
              "10c000101"
              "414e4348010000000000000000"
              "4f5554500400000000000000010179011d427dcb");
}

TEST(BinaryForm, NoticesEveryFlippedBit) {
    const std::string bytes = to_binary(*one_of_everything());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_FALSE(parse_binary(flipped)) << "bit " << bit;
    }
}

TEST(BinaryForm, NoticesEveryCut) {
    const std::string bytes = to_binary(*one_of_everything());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        ASSERT_FALSE(parse_binary(bytes.substr(0, length))) << length;
        // Also with a corrected checksum.
        if (length >= 4) {
            ASSERT_FALSE(parse_binary(with_checksum(bytes.substr(0, length))));
        }
    }
    EXPECT_FALSE(parse_binary(bytes + '\0'));
    EXPECT_FALSE(parse_binary(with_checksum(bytes + '\0')));
}

TEST(BinaryForm, SurvivesChangedBytesUnderAValidChecksum) {
    const std::string bytes = to_binary(*one_of_everything());
    std::size_t read_anyway = 0;
    for (std::size_t at = 0; at + 4 < bytes.size(); ++at) {
        for (const int change : {0x01, 0x02, 0x08, 0x40, 0x80, 0xff}) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ change);
            const auto read = parse_binary(with_checksum(changed));
            if (!read) continue;
            ++read_anyway;
            // The Program that was read can be written and read again.
            const auto again = parse_binary(to_binary(**read));
            ASSERT_TRUE(again) << again.error().to_string();
            EXPECT_EQ((*again)->hash(), (*read)->hash());
        }
    }
    EXPECT_GT(read_anyway, 0U);
}

TEST(BinaryForm, SaysWhatIsWrongAndWhere) {
    const auto bad = GraphError::kMalformed;
    const std::string bytes = to_binary(*small_host());
    expect_refused("", bad, "ESPRPROG");
    expect_refused("ESPRPROG", bad, "within its header");
    expect_refused(bytes + "x", bad, "checksum");
    const auto changed = [&](std::size_t at, char value) {
        std::string copy = bytes;
        copy[at] = value;
        return with_checksum(copy);
    };
    expect_refused(changed(8, 2), GraphError::kWrongVersion, "major version 2");
    expect_refused(changed(12, 8), bad, "end of the file");
    expect_refused(changed(12, 10), bad, "a section's tag");
    expect_refused(changed(16, 'Z'), bad, "section STRS is missing");
    expect_refused(changed(20, 127), bad, "offset");
    expect_refused(changed(28, 127), bad, "section STRS: offset 29: the number of strings");
    const std::size_t calls = bytes.find("CALL") + 12;
    expect_refused(changed(calls + 1, 127), bad, "an operator is string 127");
    expect_refused(changed(calls + 4, 14), bad, "an argument's tag from 0 to 13, got 14");
    expect_refused(changed(calls + 5, 100), GraphError::kUndefinedValue, "reads value 100");
    const std::size_t name = bytes.find("INPT") + 14;
    expect_refused(changed(name, '\n'), bad, "UTF-8");
    EXPECT_TRUE(from_binary(changed(10, 7))) << "a newer minor version is read";
}

TEST(BinaryForm, SkipsSectionsItDoesNotKnow) {
    std::string bytes = to_binary(*small_host());
    bytes[12] = 10;
    bytes.insert(16, std::string("NEWS\3\0\0\0\0\0\0\0abc", 15));
    const auto read = from_binary(with_checksum(bytes));
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ((*read)->hash(), small_host()->hash());
}

TEST(BinaryForm, RefusesSectionsThatComeTwice) {
    std::string bytes = to_binary(*small_host());
    bytes[12] = 10;
    bytes.insert(bytes.size() - 4, std::string("NAME\1\0\0\0\0\0\0\0\0", 13));
    expect_refused(with_checksum(bytes), GraphError::kMalformed, "NAME comes twice");
}

TEST(BinaryForm, LooksOperatorsUp) {
    Hand h("p");
    const auto x = h.input("x", f32({2}));
    h.call("aten::rellu", {x});
    expect_refused(to_binary(*h.make()), GraphError::kForbiddenOperator, "relu");
    Hand g("p");
    g.call("aten::relu", {});
    expect_refused(to_binary(*g.make()), GraphError::kBadArguments, "arguments");
}

TEST(BinaryForm, WritesLongScopesWhereTheyAreUsed) {
    Hand h("p");
    const auto x = h.input("x", f32({2}));
    const std::string longest(1024, 's');
    h.call("aten::relu", {x}, longest);
    h.call("aten::relu", {x}, longest.substr(0, 64));
    const auto program = h.make();
    const auto read = from_binary(to_binary(*program));
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ((*read)->instructions()[0].scope, longest);
    EXPECT_EQ(to_binary(**read), to_binary(*program));
}

TEST(ByteReader, TakesNumbersInTheirShortestFormOnly) {
    EXPECT_EQ(ByteReader("\x7f").number("n"), 127U);
    EXPECT_EQ(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").number("n"), ~0ULL);
    for (const std::string& bytes :
         {std::string("\x80\0", 2), std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
          std::string("\x80"), std::string(11, '\xff')}) {
        ByteReader in(bytes);
        in.number("n");
        EXPECT_FALSE(in.ok());
    }
    ByteReader wide("\xff\xff\xff\xff\x10");
    wide.number32("n");
    EXPECT_FALSE(wide.ok());
    EXPECT_EQ(ByteReader("\x01").integer("n"), -1);
    EXPECT_EQ(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").integer("n"),
              std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace esper::graph
