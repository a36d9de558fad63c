#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

/// Ed25519 (RFC 8032) as OpenSSL computes it.
using PublicKey = std::array<std::uint8_t, 32>;
using PrivateKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

struct KeyPair {
    PrivateKey secret{};
    PublicKey open{};
};

Result<KeyPair> generate_key_pair();
Result<PublicKey> public_key_of(const PrivateKey& secret);
Result<Signature> sign(const PrivateKey& secret, std::string_view message);
/// True when one of the keys made the signature.
bool signed_by_one_of(std::span<const PublicKey> keys, std::string_view message,
                      const Signature& signature);

}  // namespace esper::execution
