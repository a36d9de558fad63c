#include "esper/execution/kernels/trust/statement.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"

namespace esper::execution {

std::string authenticated_bytes(std::string_view type, std::string_view bytes) {
    return fmt::format("DSSEv1 {} {} {} {}", type.size(), type, bytes.size(), bytes);
}

std::string key_id_of(const PublicKey& open) {
    const Sha256 digest =
        sha256(std::string_view(reinterpret_cast<const char*>(open.data()), open.size()));
    return to_hex(std::span(digest.bytes).first(8));
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : bytes) {
        hex += kDigits[byte >> 4];
        hex += kDigits[byte & 15];
    }
    return hex;
}

Status from_hex(std::string_view hex, std::span<std::uint8_t> bytes) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    const bool digits = std::ranges::all_of(hex, [&](char c) { return digit(c) >= 0; });
    if (hex.size() != 2 * bytes.size() || !digits) {
        return fail(KernelError::kBadKey, fmt::format("expected {} lower-case hex digits, got '{}'",
                                                      2 * bytes.size(), hex.substr(0, 200)));
    }
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return {};
}

Result<Signer> Signer::make(KeyRole role, const PrivateKey& secret) {
    Signer signer;
    ESPER_TRY(signer.open_, public_key_of(secret));
    signer.id_ = key_id_of(signer.open_);
    signer.role_ = role;
    signer.secret_ = secret;
    return signer;
}

Result<Seal> Signer::seal(std::string_view type, std::string_view bytes) const {
    ESPER_TRY(const Signature signature, sign(secret_, authenticated_bytes(type, bytes)));
    return Seal{id_, signature};
}

}  // namespace esper::execution
