#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/hash.h"
#include "esper/execution/kernels/signature.h"

namespace esper::execution {

/// The 64-bit id of a kernel: the first 8 bytes of the SHA-256 of its artifact id.
inline std::uint64_t kernel_id_of(std::string_view artifact_id) {
    return sha256(artifact_id).prefix64();
}

/// A kernel artifact for transport: a manifest (JSON: `artifact`, `abi`, `files` with the SHA-256
/// of each), the Ed25519 signature over the manifest's bytes, and the shared object.
struct KernelBundle {
    std::string artifact_id;
    std::string manifest;
    Signature signature{};
    std::string object;  ///< kernel.so
};

/// Makes and signs the manifest of a shared object.
Result<KernelBundle> make_bundle(std::string_view artifact_id, std::string object,
                                 const PrivateKey& key);

/// The bundle as one string, and back. `parse_bundle` verifies nothing: do not trust the result
/// before `verify_bundle`. Errors: kBadBundle, kBadManifest.
std::string serialise_bundle(const KernelBundle& bundle);
Result<KernelBundle> parse_bundle(std::string_view bytes);

/// Verifies signature, digests and id. Errors: kBadSignature, kDigestMismatch, kWrongKernel when
/// the artifact's id is not `id`.
Status verify_bundle(const KernelBundle& bundle, std::span<const PublicKey> trusted,
                     std::uint64_t id);

/// Reads a bundle from a regular file (not a link) that belongs to this user or root and that
/// nobody else may write. Checks and reads through one open descriptor. Errors: kBadOwner,
/// kBadMode, kNotRegular, kTooLarge, kUnreadable.
Result<std::string> read_bundle_file(const std::filesystem::path& path,
                                     std::uint64_t limit = std::uint64_t{64} << 20);

}  // namespace esper::execution
