#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "esper/base/hash.h"
#include "esper/execution/kernels/kernel_manifest.h"
#include "esper/execution/kernels/trust/key_ring.h"

namespace esper::execution {

/// The 64-bit id of a kernel: the first 8 bytes of the SHA-256 of its artifact id.
inline std::uint64_t kernel_id_of(std::string_view artifact_id) {
    return sha256(artifact_id).prefix64();
}

/// The name of the shared object in a manifest's list of files.
inline constexpr std::string_view kKernelObject = "kernel.so";

/// A kernel for transport: the manifest with the seal of the forge, the verdict with the seal of
/// the gauntlet, and the shared object. All texts are kept as the bytes that were signed.
struct KernelBundle {
    std::string manifest;
    Seal forged;
    std::string verdict;  ///< "" until the kernel was validated
    Seal judged;
    std::string object;
    bool operator==(const KernelBundle&) const = default;
};

/// Puts the object's digest into the manifest and seals it.
Result<KernelBundle> forge_bundle(KernelManifest manifest, std::string object, const Signer& forge);
/// Puts the manifest's artifact and digest into the verdict, seals it and adds it to the bundle.
/// Errors: KernelError::kBadManifest.
Status judge_bundle(KernelBundle& bundle, Verdict verdict, const Signer& gauntlet);

/// The bundle as one string, and back. `parse_bundle` verifies nothing: do not trust the result
/// before `verify_bundle`. Error: kBadBundle.
std::string serialise_bundle(const KernelBundle& bundle);
Result<KernelBundle> parse_bundle(std::string_view bytes);

/// What a caller needs of a kernel; what is empty may be anything.
struct KernelWant {
    std::optional<std::uint64_t> id = {};  ///< kernel_id_of the artifact
    std::string branch = {};
    std::string precision = {};
    std::optional<ShapeClass> shape = {};  ///< the verdict must cover all of it
    /// Of the processor that shall run it.
    std::vector<std::string> cpu_features = cpu_features_here();
};
struct VerifiedBundle {
    KernelManifest manifest;
    Verdict verdict;
};

/// Whether the forge sealed this manifest, and the object is the manifest's. For whoever keeps or
/// tries kernels that nobody has validated. Errors: those of KeyRing::check, kBadManifest,
/// kDigestMismatch.
Result<KernelManifest> verify_forged(const KernelBundle& bundle, const KeyRing& ring);
/// Errors: kAbiMismatch, TrustError::kOtherMachine.
Status fits_machine(const KernelManifest& manifest, const std::vector<std::string>& cpu_features);
/// Whether forge and gauntlet sealed these statements, the verdict is about this manifest, passed,
/// and covers what is wanted; looks at the statements only. Errors: those of KeyRing::check and
/// fits_machine, kBadManifest, TrustError::kNoVerdict, kBadVerdict, kOtherManifest, kRefuted,
/// kOtherShape; kWrongKernel when it is not the kernel that is wanted.
Result<VerifiedBundle> verify_statements(const KernelBundle& bundle, const KeyRing& ring,
                                         const KernelWant& want);
/// The same with the object. Only such a kernel may be loaded. Also kDigestMismatch.
Result<VerifiedBundle> verify_bundle(const KernelBundle& bundle, const KeyRing& ring,
                                     const KernelWant& want);

/// Reads a bundle from a regular file (not a link) that belongs to this user or root and that
/// nobody else may write. Checks and reads through one open descriptor. Errors: kBadOwner,
/// kBadMode, kNotRegular, kTooLarge, kUnreadable.
Result<std::string> read_bundle_file(const std::filesystem::path& path,
                                     std::uint64_t limit = std::uint64_t{64} << 20);

}  // namespace esper::execution
