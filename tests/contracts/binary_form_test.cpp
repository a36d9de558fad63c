// Every kind of field at its limits, and bytes that are not the encoding of any value.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/contracts/enums.h"

namespace esper::contracts {
namespace {

using namespace std::string_literals;

struct Widths {
    ESPER_CONTRACT(Widths, 210, "")
    ESPER_FIELD(1, std::uint8_t, u8, 0, any(), "")
    ESPER_FIELD(2, std::uint16_t, u16, 0, any(), "")
    ESPER_FIELD(3, std::uint64_t, u64, 0, any(), "")
    ESPER_FIELD(4, std::int8_t, i8, 0, any(), "")
    ESPER_FIELD(5, std::int16_t, i16, 0, any(), "")
    ESPER_FIELD(6, std::int64_t, i64, 0, any(), "")
};

struct Kinds {
    ESPER_CONTRACT(Kinds, 211, "")
    ESPER_FIELD(1, bool, flag, false, any(), "")
    ESPER_FIELD(2, DeviceType, device, DeviceType::kCpu, any(), "")
    ESPER_FIELD(3, std::optional<std::uint8_t>, maybe, {}, any(), "")
    using Table = std::map<std::string, std::uint8_t>;
    ESPER_FIELD(4, Table, table, {}, any(), "")
    ESPER_FIELD(5, JsonText, json, {}, any(), "")
    ESPER_FIELD(6, std::int8_t, small, 0, range(-5, 5), "")
};

std::string frame(std::uint8_t type, std::string_view payload) {
    std::string out{static_cast<char>(kBinaryMagic), static_cast<char>(type), 1};
    out += payload;
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(out)));
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(crc >> shift);
    return out;
}

template <typename T>
void survives(const T& value) {
    EXPECT_EQ(from_binary<T>(*to_binary(value)).value(), value);
    EXPECT_EQ(from_json<T>(*to_json(value)).value(), value);
}

TEST(BinaryForm, IntegersOfEveryWidthKeepTheirExtremes) {
    Widths low;
    low.i8 = std::numeric_limits<std::int8_t>::min();
    low.i16 = std::numeric_limits<std::int16_t>::min();
    low.i64 = std::numeric_limits<std::int64_t>::min();
    survives(low);
    Widths high;
    high.u8 = 255;
    high.u16 = 65535;
    high.u64 = std::numeric_limits<std::uint64_t>::max();
    high.i8 = 127;
    high.i16 = 32767;
    high.i64 = std::numeric_limits<std::int64_t>::max();
    survives(high);
}

TEST(BinaryForm, NumbersWiderThanTheirFieldAreRefused) {
    for (const std::string& payload :
         {std::string("\x80\x02\0\0\0\0\0", 7), std::string("\0\x80\x80\x04\0\0\0\0", 8),
          std::string("\0\0\0\x80\x02\0\0", 7), std::string("\0\0\0\0\x80\x80\x04\0", 8)}) {
        const auto r = from_binary<Widths>(frame(210, payload));
        ASSERT_FALSE(r);
        EXPECT_TRUE(r.error().is(ContractError::kOutOfRange)) << r.error().to_string();
    }
    EXPECT_TRUE(from_json<Widths>(R"({"i8":-129})").error().is(ContractError::kOutOfRange));
    EXPECT_TRUE(from_json<Widths>(R"({"u16":65536})").error().is(ContractError::kOutOfRange));
}

TEST(BinaryForm, BytesThatStandForNoValueAreRefusedWithTheirPath) {
    const auto refuses = [](std::string_view payload, ContractError code, std::string_view where) {
        const auto r = from_binary<Kinds>(frame(211, payload));
        ASSERT_FALSE(r) << where;
        EXPECT_TRUE(r.error().is(code)) << r.error().to_string();
        EXPECT_NE(r.error().message().find(where), std::string::npos) << r.error().message();
    };
    using namespace std::string_view_literals;
    const std::string good = "\0\0\0\0\x02{}\0"s;
    ASSERT_TRUE(from_binary<Kinds>(frame(211, good)));
    refuses("\x02\0\0\0\x02{}\0"sv, ContractError::kNotCanonical, ".flag");
    refuses("\0\x07\0\0\x02{}\0"sv, ContractError::kUnknownValue, ".device");
    refuses("\0\0\x02\x01\x01\0\x02{}\0"sv, ContractError::kNotCanonical, ".maybe");
    refuses(
        "\0\0\0\x02\x01"
        "b\x01\x01"
        "a\x01\x02{}\0"sv,
        ContractError::kNotCanonical, ".table");
    refuses(
        "\0\0\0\x02\x01"
        "a\x01\x01"
        "a\x01\x02{}\0"sv,
        ContractError::kDuplicateField, ".table");
    refuses(
        "\0\0\0\x01\x01"
        "a\xff\x7f\x02{}\0"sv,
        ContractError::kOutOfRange, ".table[\"a\"]");
    refuses("\0\0\0\0\x03{ }\0"sv, ContractError::kNotCanonical, ".json");
    refuses("\0\0\0\0\x01{\0"sv, ContractError::kTruncated, ".json");
    refuses("\0\0\0\0\x02[]\0"sv, ContractError::kWrongType, ".json");
    refuses("\0\0\0\0\x02{}\x14"sv, ContractError::kOutOfRange, ".small");
    refuses("\0\0\0\x05"sv, ContractError::kTruncated, ".table");
}

TEST(BinaryForm, SaysWhichBoundAValueBroke) {
    Kinds k;
    k.small = 9;
    EXPECT_NE(check(k).error().message().find("expected -5 to 5, got 9"), std::string::npos);
}

}  // namespace
}  // namespace esper::contracts
