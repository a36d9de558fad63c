#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "esper/contracts/timestamp.h"
#include "esper/execution/kernels/trust/statement.h"
#include "esper/execution/kernels/trust/trust_error.h"

namespace esper::execution {

/// A public key, the statement that gave it its role, and who signed that statement.
struct RingKey {
    std::string id;
    KeyRole role = KeyRole::kRoot;
    PublicKey open{};
    contracts::Timestamp made;
    std::string statement;
    std::vector<Seal> seals;
    bool revoked = false;  ///< named by a revocation
    bool trusted = false;  ///< reaches a root by keys that are not revoked
};

struct Revocation {
    std::string statement;
    Seal seal;
};

/// The public keys that this machine knows, oldest first, and the revocations. The first key is a
/// root and signs itself; every other is signed by a root, or by an older key of its own role. A
/// key whose signers are all revoked is not trusted. Verification needs nothing but this object.
class KeyRing {
  public:
    /// A ring with the root that `root` is the secret half of.
    static Result<KeyRing> make(const Signer& root, contracts::Timestamp when);
    /// Errors: TrustError::kBadKeyFile; KernelError::kBadSignature for a statement that was
    /// changed.
    static Result<KeyRing> parse(std::string_view text);
    std::string text() const;

    const std::vector<RingKey>& keys() const { return keys_; }
    const RingKey* find(std::string_view id) const;
    /// The newest trusted key of a role, or nullptr.
    const RingKey* newest(KeyRole role) const;

    /// Adds a key, sealed by each of `signers`.
    Status add(KeyRole role, const PublicKey& open, contracts::Timestamp when,
               std::span<const Signer> signers);
    /// Errors: kUnknownKey, kRootKey.
    Status revoke(std::string_view id, contracts::Timestamp when, const Signer& root);

    /// Whether a trusted key of that role sealed these bytes.
    /// Errors: kUnknownKey, kRevokedKey, kWrongRole, KernelError::kBadSignature.
    Status check(KeyRole role, std::string_view type, std::string_view bytes,
                 const Seal& seal) const;

  private:
    Status settle();
    std::vector<RingKey> keys_;
    std::vector<Revocation> revocations_;
};

}  // namespace esper::execution
