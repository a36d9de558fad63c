#include "esper/services/serving/web_keys.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/services/serving/base64url.h"
#include "esper/services/serving/strict_json.h"

namespace esper::serving {

using nlohmann::json;

namespace {

constexpr std::size_t kMostKeys = 100;
constexpr int kLeastRsaBits = 2048, kMostRsaBits = 8192;
constexpr std::size_t kCoordinate = 32;  // bytes of a number of Ed25519 and P-256

struct Free {
    void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
    void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
    void operator()(OSSL_PARAM_BLD* p) const { OSSL_PARAM_BLD_free(p); }
    void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
    void operator()(BIGNUM* p) const { BN_free(p); }
    void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Owned<BIGNUM> number_of(std::string_view bytes) {
    return Owned<BIGNUM>(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::string text_in(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string bytes_in(const json& object, const char* name) {
    return base64url_decode(text_in(object, name)).value_or("");
}

std::shared_ptr<EVP_PKEY> shared(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

/// Null where OpenSSL refuses these parts.
std::shared_ptr<EVP_PKEY> make_key(const char* kind, OSSL_PARAM_BLD* parts) {
    const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(parts));
    const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
    EVP_PKEY* raw = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return nullptr;
    auto key = shared(raw);
    const Owned<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new(raw, nullptr));
    return check && EVP_PKEY_public_check(check.get()) == 1 ? key : nullptr;
}

std::shared_ptr<EVP_PKEY> ed25519_key(const json& jwk) {
    const auto x = bytes_in(jwk, "x");
    if (x.size() != kCoordinate) return nullptr;
    return shared(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

std::shared_ptr<EVP_PKEY> p256_key(const json& jwk) {
    const auto x = bytes_in(jwk, "x"), y = bytes_in(jwk, "y");
    if (x.size() != kCoordinate || y.size() != kCoordinate) return nullptr;
    const auto point = "\x04" + x + y;  // uncompressed (SEC 1, section 2.3.3)
    const Owned<OSSL_PARAM_BLD> parts(OSSL_PARAM_BLD_new());
    if (!parts ||
        OSSL_PARAM_BLD_push_utf8_string(parts.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(parts.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        return nullptr;
    return make_key("EC", parts.get());
}

std::shared_ptr<EVP_PKEY> rsa_key(BIGNUM* modulus, BIGNUM* exponent) {
    const Owned<OSSL_PARAM_BLD> parts(OSSL_PARAM_BLD_new());
    if (!parts || OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
        return nullptr;
    return make_key("RSA", parts.get());
}

void read_rsa(const json& jwk, WebKey& key) {
    const auto modulus = number_of(bytes_in(jwk, "n")), exponent = number_of(bytes_in(jwk, "e"));
    if (!modulus || !exponent || BN_num_bits(exponent.get()) > 64) return;
    const int bits = BN_num_bits(modulus.get());
    if (bits < kLeastRsaBits || bits > kMostRsaBits)
        key.unused = fmt::format("an RSA key needs {} to {} bits, this one has {}", kLeastRsaBits,
                                 kMostRsaBits, bits);
    else
        key.key = rsa_key(modulus.get(), exponent.get());
}

/// Sets the key's algorithm and key, or why it is not used.
void read_kind(const json& jwk, WebKey& key) {
    const auto kind = text_in(jwk, "kty"), curve = text_in(jwk, "crv");
    if (kind == "OKP" && curve == "Ed25519") {
        key.algorithm = "EdDSA";
        key.key = ed25519_key(jwk);
    } else if (kind == "EC" && curve == "P-256") {
        key.algorithm = "ES256";
        key.key = p256_key(jwk);
    } else if (kind == "RSA") {
        key.algorithm = "RS256";
        read_rsa(jwk, key);
    } else {
        key.unused = fmt::format("expected a key of kty OKP (Ed25519), EC (P-256) or RSA, got '{}'",
                                 kind + (curve.empty() ? "" : " " + curve));
        return;
    }
    if (!key.key && key.unused.empty())
        key.unused = "its numbers are no public key for " + key.algorithm;
}

/// RFC 7517, sections 4.2 to 4.4.
std::string not_for_tokens(const json& jwk, const WebKey& key) {
    if (jwk.contains("use") && text_in(jwk, "use") != "sig") return "its use is not 'sig'";
    if (jwk.contains("alg") && text_in(jwk, "alg") != key.algorithm)
        return fmt::format("its alg is not '{}'", key.algorithm);
    const auto uses = jwk.value("key_ops", json());
    if (!uses.is_null() && std::ranges::find(uses, json("verify")) == uses.end())
        return "its key_ops do not have 'verify'";
    return "";
}

tl::unexpected<Error> bad(const std::string& what) {
    return fail(TokenError::kBadKeys,
                what +
                    "; expected a JSON Web Key Set as the issuer of the tokens publishes it "
                    "(RFC 7517)");
}

Result<WebKey> read_key(const json& jwk, std::size_t number) {
    if (!jwk.is_object()) return bad(fmt::format("key {} is no object", number));
    WebKey key{text_in(jwk, "kid")};
    if (jwk.contains("kid") && key.id.empty())
        return bad(fmt::format("the kid of key {} is no text", number));
    if (jwk.contains("d"))
        return bad(
            fmt::format("key {} has its private half, with which anybody who reads this "
                        "file could make tokens",
                        number));
    read_kind(jwk, key);
    if (key.unused.empty()) key.unused = not_for_tokens(jwk, key);
    if (!key.unused.empty()) key.key = nullptr;
    return key;
}

/// ECDSA's r and s as a token has them (RFC 7518, section 3.4), as OpenSSL takes them; empty where
/// they are none.
std::string der_of(std::string_view signature) {
    if (signature.size() != 2 * kCoordinate) return "";
    auto r = number_of(signature.substr(0, kCoordinate));
    auto s = number_of(signature.substr(kCoordinate));
    const Owned<ECDSA_SIG> both(ECDSA_SIG_new());
    if (!both || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return "";
    static_cast<void>(r.release());  // it is the signature's now
    static_cast<void>(s.release());
    unsigned char* raw = nullptr;
    const int size = i2d_ECDSA_SIG(both.get(), &raw);
    std::string der(reinterpret_cast<char*>(raw), static_cast<std::size_t>(std::max(size, 0)));
    OPENSSL_free(raw);
    return der;
}

}  // namespace

bool WebKey::has_signed(std::string_view message, std::string_view signature) const {
    if (!key) return false;
    const auto der = algorithm == "ES256" ? der_of(signature) : std::string(signature);
    const auto* const digest = algorithm == "EdDSA" ? nullptr : EVP_sha256();
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    const bool good =
        context && !der.empty() &&
        EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(der), der.size(), bytes_of(message),
                         message.size()) == 1;
    ERR_clear_error();
    return good;
}

Result<std::vector<WebKey>> read_web_keys(std::string_view text) {
    const auto set = strict_json_object(text);
    const auto list = set ? set->value("keys", json()) : json();
    if (!list.is_array()) return bad("this is no JSON object with a list 'keys'");
    if (list.size() > kMostKeys)
        return bad(fmt::format("it has {} keys, more than {}", list.size(), kMostKeys));
    std::vector<WebKey> keys;
    std::string reasons;
    for (const auto& jwk : list) {
        ESPER_TRY(auto key, read_key(jwk, keys.size() + 1));
        if (!key.unused.empty())
            reasons += fmt::format("; key {}: {}", keys.size() + 1, key.unused);
        const auto is_same = [&](const WebKey& other) { return other.key && other.id == key.id; };
        if (key.key && std::ranges::any_of(keys, is_same))
            return bad(fmt::format("two keys have the kid '{}'", key.id));
        keys.push_back(std::move(key));
    }
    ERR_clear_error();
    if (std::ranges::none_of(keys, [](const WebKey& key) { return key.key != nullptr; }))
        return bad("it has no key that checks tokens" + reasons);
    return keys;
}

}  // namespace esper::serving
