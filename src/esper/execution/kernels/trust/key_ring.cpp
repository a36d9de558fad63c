#include "esper/execution/kernels/trust/key_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace esper::execution {
namespace {

using nlohmann::json;

tl::unexpected<Error> damaged(std::string_view what) {
    return fail(TrustError::kBadKeyFile,
                fmt::format("the ring of keys is damaged: {}; take it from a copy", what));
}

std::string text_of(const json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

json json_of(const Seal& seal) {
    return {{"key", seal.key}, {"signature", to_hex(seal.signature)}};
}

Result<Seal> seal_of(const json& object) {
    Seal seal;
    seal.key = text_of(object, "key");
    if (!from_hex(text_of(object, "signature"), seal.signature))
        return damaged("a signature is not 128 hex digits");
    return seal;
}

/// Fills what the statement says.
Status read_statement(RingKey& key) {
    const json said = json::parse(key.statement, nullptr, false);
    const auto role = contracts::from_text<KeyRole>(text_of(said, "role"));
    const auto made = contracts::parse_timestamp(text_of(said, "made"));
    if (!role || !made || !from_hex(text_of(said, "public"), key.open))
        return damaged("a key's statement must have role, public and made");
    key.role = *role;
    key.made = *made;
    key.id = key_id_of(key.open);
    return {};
}

bool sealed(const RingKey& by, std::string_view type, std::string_view bytes, const Seal& seal) {
    return signed_by_one_of(std::span(&by.open, 1), authenticated_bytes(type, bytes),
                            seal.signature);
}

tl::unexpected<Error> bad_seal(std::string_view of, const Seal& seal) {
    return fail(KernelError::kBadSignature,
                fmt::format("{}: the signature of key {} is not of these bytes", of, seal.key));
}

}  // namespace

Result<KeyRing> KeyRing::make(const Signer& root, contracts::Timestamp when) {
    KeyRing ring;
    ESPER_CHECK_STATUS(ring.add(KeyRole::kRoot, root.open(), when, std::span(&root, 1)));
    return ring;
}

Result<KeyRing> KeyRing::parse(std::string_view text) {
    const json whole = json::parse(text, nullptr, false);
    if (!whole.is_object() || !whole.contains("keys") || !whole["keys"].is_array() ||
        !whole.contains("revoked") || !whole["revoked"].is_array())
        return damaged("expected a JSON object with the lists keys and revoked");
    KeyRing ring;
    for (const auto& entry : whole["keys"]) {
        RingKey key;
        key.statement = text_of(entry, "statement");
        ESPER_CHECK_STATUS(read_statement(key));
        if (!entry.contains("seals") || !entry["seals"].is_array())
            return damaged("a key without the list seals");
        for (const auto& seal : entry["seals"]) {
            ESPER_TRY(Seal one, seal_of(seal));
            key.seals.push_back(std::move(one));
        }
        ring.keys_.push_back(std::move(key));
    }
    for (const auto& entry : whole["revoked"]) {
        Revocation revocation;
        revocation.statement = text_of(entry, "statement");
        if (!entry.contains("seal")) return damaged("a revocation without a seal");
        ESPER_TRY(revocation.seal, seal_of(entry["seal"]));
        ring.revocations_.push_back(std::move(revocation));
    }
    ESPER_CHECK_STATUS(ring.settle());
    return ring;
}

std::string KeyRing::text() const {
    json keys = json::array(), revoked = json::array();
    for (const auto& key : keys_) {
        json seals = json::array();
        for (const auto& seal : key.seals) seals.push_back(json_of(seal));
        keys.push_back({{"statement", key.statement}, {"seals", seals}});
    }
    for (const auto& revocation : revocations_)
        revoked.push_back(
            {{"statement", revocation.statement}, {"seal", json_of(revocation.seal)}});
    return json{{"keys", keys}, {"revoked", revoked}}.dump();
}

/// Checks every signature in the ring and decides which keys are trusted.
Status KeyRing::settle() {
    if (keys_.empty() || keys_.front().role != KeyRole::kRoot)
        return damaged("the first key must be a root's");
    for (auto& key : keys_) key.revoked = key.trusted = false;
    for (const auto& revocation : revocations_) {
        const auto* by = find(revocation.seal.key);
        if (by == nullptr || by->role != KeyRole::kRoot)
            return damaged("a revocation that no root signed");
        if (!sealed(*by, kRevocationType, revocation.statement, revocation.seal))
            return bad_seal("a revocation", revocation.seal);
        const std::string id = text_of(json::parse(revocation.statement, nullptr, false), "key");
        const auto revoked = std::ranges::find(keys_, id, &RingKey::id);
        if (revoked == keys_.end()) return damaged("a revocation of a key that is not in it");
        revoked->revoked = true;
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        auto& key = keys_[i];
        if (find(key.id) != &key) return damaged(fmt::format("key {} is in it twice", key.id));
        for (const auto& seal : key.seals) {
            const auto* by = find(seal.key);
            if (by == nullptr || by - keys_.data() > static_cast<std::ptrdiff_t>(i))
                return damaged(
                    fmt::format("key {} is signed by a key that is not before it", key.id));
            if (!sealed(*by, kKeyType, key.statement, seal)) return bad_seal(key.id, seal);
            const bool anchor = i == 0 && by == &key;
            const bool may = by->role == KeyRole::kRoot || by->role == key.role;
            if (!key.revoked && (anchor || (by != &key && by->trusted && may))) key.trusted = true;
        }
    }
    if (!keys_.front().trusted) return damaged("the root does not sign itself");
    return {};
}

const RingKey* KeyRing::find(std::string_view id) const {
    const auto found = std::ranges::find(keys_, id, &RingKey::id);
    return found == keys_.end() ? nullptr : &*found;
}

const RingKey* KeyRing::newest(KeyRole role) const {
    for (auto key = keys_.rbegin(); key != keys_.rend(); ++key)
        if (key->role == role && key->trusted) return &*key;
    return nullptr;
}

Status KeyRing::add(KeyRole role, const PublicKey& open, contracts::Timestamp when,
                    std::span<const Signer> signers) {
    RingKey key;
    key.statement = json{{"role", contracts::to_text(role)},
                         {"public", to_hex(open)},
                         {"made", contracts::to_string(when)}}
                        .dump();
    ESPER_CHECK_STATUS(read_statement(key));
    for (const auto& signer : signers) {
        ESPER_TRY(Seal seal, signer.seal(kKeyType, key.statement));
        key.seals.push_back(std::move(seal));
    }
    keys_.push_back(std::move(key));
    return settle();
}

Status KeyRing::revoke(std::string_view id, contracts::Timestamp when, const Signer& root) {
    const auto* key = find(id);
    if (key == nullptr)
        return fail(TrustError::kUnknownKey,
                    fmt::format("no key {} in this ring; esper keys ls shows them", id));
    if (key->role == KeyRole::kRoot)
        return fail(TrustError::kRootKey,
                    "the root signs the revocations, so it cannot be revoked; esper keys init with "
                    "another folder makes new keys");
    Revocation revocation;
    revocation.statement = json{{"key", id}, {"at", contracts::to_string(when)}}.dump();
    ESPER_TRY(revocation.seal, root.seal(kRevocationType, revocation.statement));
    revocations_.push_back(std::move(revocation));
    return settle();
}

Status KeyRing::check(KeyRole role, std::string_view type, std::string_view bytes,
                      const Seal& seal) const {
    const auto* key = find(seal.key);
    if (key == nullptr)
        return fail(TrustError::kUnknownKey,
                    fmt::format("key {} is not one of the {} keys that are known here", seal.key,
                                keys_.size()));
    if (key->role != role)
        return fail(TrustError::kWrongRole,
                    fmt::format("key {} is a {} key; this needs one of role {}", seal.key,
                                contracts::to_text(key->role), contracts::to_text(role)));
    if (!key->trusted)
        return fail(TrustError::kRevokedKey,
                    fmt::format("{} key {} is revoked, or nobody who is trusted signed it",
                                contracts::to_text(role), seal.key));
    if (!sealed(*key, type, bytes, seal)) return bad_seal(type, seal);
    return {};
}

}  // namespace esper::execution
