#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace esper {

/// A SHA-256 digest (FIPS 180-4).
struct Sha256 {
    std::array<std::uint8_t, 32> bytes{};
    /// 64 lower-case hex digits.
    std::string hex() const;
    /// The first 8 bytes as a big-endian integer: the stable 64-bit form of an id.
    std::uint64_t prefix64() const;
    auto operator<=>(const Sha256&) const = default;
};

/// Incremental SHA-256. After `finish` the hasher is empty again and can be used for another text.
class Sha256Hasher {
  public:
    Sha256Hasher();
    ~Sha256Hasher();
    Sha256Hasher(Sha256Hasher&&) noexcept;
    Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

    Sha256Hasher& update(std::span<const std::byte> data);
    Sha256Hasher& update(std::string_view text);
    /// Integers are hashed as eight little-endian bytes.
    Sha256Hasher& update_u64(std::uint64_t value);
    /// Length-prefixed, so that ("ab","c") and ("a","bc") differ.
    Sha256Hasher& update_field(std::string_view text);
    Sha256 finish();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

Sha256 sha256(std::string_view text);
Sha256 sha256(std::span<const std::byte> data);

/// CRC-32C (Castagnoli), hardware-accelerated where the CPU has it.
/// `seed` is the checksum of the data before: crc32c(b, crc32c(a)) is the checksum of a then b.
std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed = 0);
/// The same by tables only: the fall-back, and the reference that tests compare crc32c() with.
std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t seed = 0);

}  // namespace esper
