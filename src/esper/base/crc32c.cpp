#include <cstring>

#include "esper/base/hash.h"
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace esper {
namespace {

// Bit-reversed Castagnoli polynomial 0x1EDC6F41 (RFC 3720, section 12.1).
constexpr std::uint32_t kPolynomial = 0x82F63B78;

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: the effect of byte b on the register when k more bytes follow.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
    return tables;
}
constexpr Tables kTables = make_tables();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::span<const std::byte> data,
                                                             std::uint32_t seed) {
    std::uint64_t crc = ~seed;
    const std::byte* p = data.data();
    std::size_t left = data.size();
    for (; left >= 8; p += 8, left -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    auto crc32 = static_cast<std::uint32_t>(crc);
    for (; left > 0; ++p, --left) crc32 = _mm_crc32_u8(crc32, std::to_integer<unsigned char>(*p));
    return ~crc32;
}
#endif

using Implementation = std::uint32_t (*)(std::span<const std::byte>, std::uint32_t);

Implementation fastest() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return crc32c_sse42;
#endif
    return crc32c_portable;
}

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t seed) {
    std::uint32_t crc = ~seed;
    const auto byte_at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(data[i]); };
    std::size_t i = 0;
    for (; i + 8 <= data.size(); i += 8) {
        std::uint32_t next = 0;
        for (std::size_t k = 0; k < 8; ++k) {
            const std::uint32_t mask = k < 4 ? (crc >> (8 * k)) & 0xff : 0;
            next ^= kTables[7 - k][byte_at(i + k) ^ mask];
        }
        crc = next;
    }
    for (; i < data.size(); ++i) crc = (crc >> 8) ^ kTables[0][(crc ^ byte_at(i)) & 0xff];
    return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed) {
    static const Implementation implementation = fastest();
    return implementation(data, seed);
}

}  // namespace esper
