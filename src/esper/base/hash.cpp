#include "esper/base/hash.h"

#include <openssl/evp.h>

#include <new>

namespace esper {
namespace {

// Fetched once: looking an algorithm up by name costs more than hashing a short id.
const EVP_MD* sha256_algorithm() {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return algorithm;
}

}  // namespace

std::string Sha256::hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(64);
    for (const std::uint8_t byte : bytes) {
        text.push_back(kDigits[byte >> 4]);
        text.push_back(kDigits[byte & 15]);
    }
    return text;
}

std::uint64_t Sha256::prefix64() const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | bytes[i];
    return value;
}

struct Sha256Hasher::Impl {
    Impl() : context(EVP_MD_CTX_new()) {
        if (!context) throw std::bad_alloc();
        restart();
    }
    ~Impl() { EVP_MD_CTX_free(context); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    // Allocation is the only way these can fail for SHA-256.
    void restart() {
        if (EVP_DigestInit_ex(context, sha256_algorithm(), nullptr) != 1) throw std::bad_alloc();
    }
    EVP_MD_CTX* context;
};

Sha256Hasher::Sha256Hasher() : impl_(std::make_unique<Impl>()) {}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

Sha256Hasher& Sha256Hasher::update(std::span<const std::byte> data) {
    EVP_DigestUpdate(impl_->context, data.data(), data.size());
    return *this;
}

Sha256Hasher& Sha256Hasher::update(std::string_view text) {
    return update(std::as_bytes(std::span(text)));
}

Sha256Hasher& Sha256Hasher::update_u64(std::uint64_t value) {
    std::array<std::byte, 8> bytes;
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(value & 0xff);
        value >>= 8;
    }
    return update(bytes);
}

Sha256Hasher& Sha256Hasher::update_field(std::string_view text) {
    return update_u64(text.size()).update(text);
}

Sha256 Sha256Hasher::finish() {
    Sha256 digest;
    EVP_DigestFinal_ex(impl_->context, digest.bytes.data(), nullptr);
    impl_->restart();
    return digest;
}

Sha256 sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

Sha256 sha256(std::span<const std::byte> data) { return Sha256Hasher().update(data).finish(); }

}  // namespace esper
