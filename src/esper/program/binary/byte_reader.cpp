#include "esper/program/binary/byte_reader.h"

#include <fmt/format.h>

#include <bit>

namespace esper::graph {

void ByteReader::refuse(std::string_view message) {
    if (error_) return;
    error_ = fail(GraphError::kMalformed, fmt::format("offset {}: {}", offset(), message)).value();
}

std::string_view ByteReader::raw(std::size_t size, std::string_view what) {
    if (error_) return {};
    if (size > remaining()) {
        refuse(fmt::format("expected {} of {} bytes, {} are left", what, size, remaining()));
        return {};
    }
    const std::string_view bytes = bytes_.substr(at_, size);
    at_ += size;
    return bytes;
}

std::uint64_t ByteReader::fixed(int bytes, std::string_view what) {
    std::uint64_t value = 0;
    int shift = 0;
    for (const char c : raw(static_cast<std::size_t>(bytes), what)) {
        value |= std::uint64_t{static_cast<unsigned char>(c)} << shift;
        shift += 8;
    }
    return value;
}

std::uint8_t ByteReader::byte(std::string_view what) {
    return static_cast<std::uint8_t>(fixed(1, what));
}

std::uint8_t ByteReader::byte_below(int count, std::string_view what) {
    const std::uint8_t value = byte(what);
    if (value < count) return value;
    --at_;
    refuse(fmt::format("expected {} from 0 to {}, got {}", what, count - 1, value));
    return 0;
}

std::uint64_t ByteReader::number(std::string_view what) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const std::uint64_t next = byte(what);
        if (error_) return 0;
        if ((shift == 63 && next > 1) || (shift > 0 && next == 0)) break;
        value |= (next & 0x7f) << shift;
        if (next < 0x80) return value;
    }
    refuse(fmt::format("{} is not a number in its shortest form", what));
    return 0;
}

std::uint32_t ByteReader::number32(std::string_view what) {
    const std::uint64_t value = number(what);
    if (value <= 0xffffffffU) return static_cast<std::uint32_t>(value);
    refuse(fmt::format("{} is {}, beyond 32 bits", what, value));
    return 0;
}

std::int64_t ByteReader::integer(std::string_view what) {
    const std::uint64_t value = number(what);
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

double ByteReader::real(std::string_view what) { return std::bit_cast<double>(fixed(8, what)); }

std::string_view ByteReader::text(std::string_view what) { return raw(count(1, what), what); }

std::size_t ByteReader::count(std::size_t item_size, std::string_view what) {
    const std::uint64_t value = number(what);
    if (value <= remaining() / item_size) return value;
    refuse(
        fmt::format("{}: {} cannot fit into the {} bytes that are left", what, value, remaining()));
    return 0;
}

}  // namespace esper::graph
