#include "esper/execution/kernels/signature.h"

#include <openssl/evp.h>

#include <memory>

#include "esper/base/fault_points.h"

namespace esper::execution {
namespace {

struct Free {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
    void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Digest = std::unique_ptr<EVP_MD_CTX, Free>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// Simulates an OpenSSL that refuses (out of memory, Ed25519 disabled by its configuration).
FaultPoint refusal{"signature.openssl"};

auto bad_key() {
    return fail(KernelError::kBadKey, "OpenSSL does not take this as an Ed25519 key of 32 bytes");
}

}  // namespace

Result<KeyPair> generate_key_pair() {
    const std::unique_ptr<EVP_PKEY_CTX, Free> context(
        EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
    EVP_PKEY* raw = nullptr;
    if (refusal.fires() || !context || EVP_PKEY_keygen_init(context.get()) != 1 ||
        EVP_PKEY_keygen(context.get(), &raw) != 1) {
        return bad_key();
    }
    const Key key(raw);
    KeyPair pair;
    std::size_t n = pair.secret.size(), m = pair.open.size();
    if (EVP_PKEY_get_raw_private_key(key.get(), pair.secret.data(), &n) != 1 ||
        EVP_PKEY_get_raw_public_key(key.get(), pair.open.data(), &m) != 1) {
        return bad_key();
    }
    return pair;
}

Result<PublicKey> public_key_of(const PrivateKey& secret) {
    const Key key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size()));
    PublicKey open{};
    std::size_t n = open.size();
    if (refusal.fires() || !key || EVP_PKEY_get_raw_public_key(key.get(), open.data(), &n) != 1) {
        return bad_key();
    }
    return open;
}

Result<Signature> sign(const PrivateKey& secret, std::string_view message) {
    const Key key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size()));
    const Digest context(EVP_MD_CTX_new());
    Signature signature{};
    std::size_t n = signature.size();
    if (refusal.fires() || !key || !context ||
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &n, bytes_of(message), message.size()) !=
            1) {
        return bad_key();
    }
    return signature;
}

bool signed_by_one_of(std::span<const PublicKey> keys, std::string_view message,
                      const Signature& signature) {
    for (const PublicKey& open : keys) {
        const Key key(
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, open.data(), open.size()));
        const Digest context(EVP_MD_CTX_new());
        if (key && context &&
            EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
            EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes_of(message),
                             message.size()) == 1) {
            return true;
        }
    }
    return false;
}

}  // namespace esper::execution
