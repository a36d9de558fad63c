#include "esper/execution/kernels/kernel_bundle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "esper/kernel_abi.h"

namespace esper::execution {
namespace {

constexpr std::string_view kMagic = "ESPBUND2";
constexpr std::uint64_t kMaxStatement = 1 << 20;
constexpr std::size_t kKeyBytes = 8;

void put_u64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}
std::uint64_t get_u64(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void put_statement(std::string& out, std::string_view text, const Seal& seal) {
    put_u64(out, text.size());
    out += text;
    std::array<std::uint8_t, kKeyBytes> key{};
    if (!from_hex(seal.key, key)) key = {};  // a bundle without a verdict has no key
    out.append(reinterpret_cast<const char*>(key.data()), key.size());
    out.append(reinterpret_cast<const char*>(seal.signature.data()), seal.signature.size());
}

/// Whether the piece was there in full.
bool take_statement(std::string_view& rest, std::string& text, Seal& seal) {
    if (rest.size() < 8) return false;
    const std::uint64_t size = get_u64(rest);
    rest.remove_prefix(8);
    if (size > kMaxStatement || rest.size() < size + kKeyBytes + seal.signature.size())
        return false;
    text = rest.substr(0, size);
    rest.remove_prefix(size);
    std::array<std::uint8_t, kKeyBytes> key;
    std::memcpy(key.data(), rest.data(), kKeyBytes);
    seal.key = text.empty() ? "" : to_hex(key);
    std::memcpy(seal.signature.data(), rest.data() + kKeyBytes, seal.signature.size());
    rest.remove_prefix(kKeyBytes + seal.signature.size());
    return true;
}

}  // namespace

Result<KernelBundle> forge_bundle(KernelManifest manifest, std::string object,
                                  const Signer& forge) {
    manifest.files[std::string(kKernelObject)] = sha256(object).hex();
    KernelBundle bundle;
    bundle.manifest = manifest.text();
    bundle.object = std::move(object);
    ESPER_TRY(bundle.forged, forge.seal(kManifestType, bundle.manifest));
    return bundle;
}

Status judge_bundle(KernelBundle& bundle, Verdict verdict, const Signer& gauntlet) {
    ESPER_TRY(const KernelManifest manifest, KernelManifest::parse(bundle.manifest));
    verdict.artifact = manifest.artifact;
    verdict.manifest = sha256(bundle.manifest).hex();
    std::string text = verdict.text();
    ESPER_TRY(bundle.judged, gauntlet.seal(kVerdictType, text));
    bundle.verdict = std::move(text);
    return {};
}

std::string serialise_bundle(const KernelBundle& bundle) {
    std::string out(kMagic);
    put_statement(out, bundle.manifest, bundle.forged);
    put_statement(out, bundle.verdict, bundle.judged);
    put_u64(out, bundle.object.size());
    out += bundle.object;
    return out;
}

Result<KernelBundle> parse_bundle(std::string_view bytes) {
    auto bad = [&](std::string_view what) {
        return fail(KernelError::kBadBundle,
                    fmt::format("a kernel artifact of {} bytes: {}", bytes.size(), what));
    };
    std::string_view rest = bytes;
    if (!rest.starts_with(kMagic)) return bad("the magic ESPBUND2 is missing");
    rest.remove_prefix(kMagic.size());
    KernelBundle bundle;
    if (!take_statement(rest, bundle.manifest, bundle.forged))
        return bad("cut short in the manifest or its seal");
    if (!take_statement(rest, bundle.verdict, bundle.judged))
        return bad("cut short in the verdict or its seal");
    if (bundle.verdict.empty() && bundle.judged != Seal{}) return bad("a seal without its verdict");
    if (rest.size() < 8 || get_u64(rest) != rest.size() - 8)
        return bad("the object has another length than it says");
    bundle.object = rest.substr(8);
    return bundle;
}

namespace {

Result<KernelManifest> sealed_manifest(const KernelBundle& bundle, const KeyRing& ring) {
    ESPER_CHECK_STATUS(ring.check(KeyRole::kForge, kManifestType, bundle.manifest, bundle.forged));
    return KernelManifest::parse(bundle.manifest);
}

Status is_the_object(const KernelManifest& manifest, std::string_view object) {
    const auto named = manifest.files.find(std::string(kKernelObject));
    const std::string digest = sha256(object).hex();
    if (named != manifest.files.end() && named->second == digest) return {};
    return fail(
        KernelError::kDigestMismatch,
        fmt::format("{}: the object's SHA-256 is {}, the manifest says {}", manifest.artifact,
                    digest, named == manifest.files.end() ? "nothing" : named->second));
}

Result<Verdict> sealed_verdict(const KernelBundle& bundle, const KernelManifest& manifest,
                               const KeyRing& ring) {
    if (bundle.verdict.empty())
        return fail(TrustError::kNoVerdict, fmt::format("{}: nobody has validated it; esper forge "
                                                        "compiles and validates",
                                                        manifest.artifact));
    ESPER_CHECK_STATUS(ring.check(KeyRole::kGauntlet, kVerdictType, bundle.verdict, bundle.judged));
    ESPER_TRY(Verdict verdict, Verdict::parse(bundle.verdict));
    const std::string digest = sha256(bundle.manifest).hex();
    if (verdict.manifest != digest || verdict.artifact != manifest.artifact)
        return fail(TrustError::kOtherManifest,
                    fmt::format("{} (manifest {}): the verdict is about {} (manifest {})",
                                manifest.artifact, digest, verdict.artifact, verdict.manifest));
    return verdict;
}

}  // namespace

Result<KernelManifest> verify_forged(const KernelBundle& bundle, const KeyRing& ring) {
    ESPER_TRY(KernelManifest manifest, sealed_manifest(bundle, ring));
    ESPER_CHECK_STATUS(is_the_object(manifest, bundle.object));
    return manifest;
}

Status fits_machine(const KernelManifest& manifest, const std::vector<std::string>& cpu_features) {
    if (manifest.abi != ESPER_BRANCH_KERNEL_ABI)
        return fail(KernelError::kAbiMismatch,
                    fmt::format("{}: made for kernel interface {}, this is {}; compile it anew",
                                manifest.artifact, manifest.abi, ESPER_BRANCH_KERNEL_ABI));
    const auto missing = missing_features(manifest.cpu_features, cpu_features);
    if (missing.empty()) return {};
    return fail(TrustError::kOtherMachine,
                fmt::format("{}: made for {}; this processor lacks {}; compile it here",
                            manifest.artifact, manifest.isa, fmt::join(missing, ", ")));
}

Result<VerifiedBundle> verify_statements(const KernelBundle& bundle, const KeyRing& ring,
                                         const KernelWant& want) {
    VerifiedBundle verified;
    ESPER_TRY(verified.manifest, sealed_manifest(bundle, ring));
    const KernelManifest& manifest = verified.manifest;
    ESPER_CHECK_STATUS(fits_machine(manifest, want.cpu_features));
    ESPER_TRY(verified.verdict, sealed_verdict(bundle, manifest, ring));
    if (!verified.verdict.passed)
        return fail(TrustError::kRefuted,
                    fmt::format("{}: the gauntlet refused it; esper library show has its report",
                                manifest.artifact));
    if ((want.id && kernel_id_of(manifest.artifact) != *want.id) ||
        (!want.branch.empty() && want.branch != manifest.branch) ||
        (!want.precision.empty() && want.precision != manifest.precision)) {
        return fail(
            KernelError::kWrongKernel,
            fmt::format("asked for kernel {:016x} of branch '{}' in '{}', got {} ({:016x}) "
                        "of {} in {}",
                        want.id.value_or(0), want.branch, want.precision, manifest.artifact,
                        kernel_id_of(manifest.artifact), manifest.branch, manifest.precision));
    }
    if (want.shape &&
        (!manifest.shape.covers(*want.shape) || !verified.verdict.shape.covers(*want.shape))) {
        return fail(TrustError::kOtherShape,
                    fmt::format("{}: made for {} and validated on {}; asked for {}",
                                manifest.artifact, to_string(manifest.shape),
                                to_string(verified.verdict.shape), to_string(*want.shape)));
    }
    return verified;
}

Result<VerifiedBundle> verify_bundle(const KernelBundle& bundle, const KeyRing& ring,
                                     const KernelWant& want) {
    ESPER_TRY(VerifiedBundle verified, verify_statements(bundle, ring, want));
    ESPER_CHECK_STATUS(is_the_object(verified.manifest, bundle.object));
    return verified;
}

Result<std::string> read_bundle_file(const std::filesystem::path& path, std::uint64_t limit) {
    struct Closer {
        int fd;
        ~Closer() {
            if (fd >= 0) ::close(fd);
        }
    };
    const Closer file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd < 0) {
        const int code = errno;
        if (code == ELOOP) {
            return fail(KernelError::kNotRegular,
                        fmt::format("{} is a link; kernels are loaded from plain files only",
                                    path.string()));
        }
        return fail(KernelError::kUnreadable,
                    fmt::format("{}: {}", path.string(), std::strerror(code)));
    }
    struct stat st {};
    if (::fstat(file.fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return fail(KernelError::kNotRegular, fmt::format("{} is not a plain file", path.string()));
    }
    if (st.st_uid != ::geteuid() && st.st_uid != 0) {
        return fail(KernelError::kBadOwner,
                    fmt::format("{} belongs to user {}; expected {} or root", path.string(),
                                st.st_uid, ::geteuid()));
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(KernelError::kBadMode,
                    fmt::format("{} has mode {:o}: others may write to it; chmod go-w",
                                path.string(), st.st_mode & 07777));
    }
    const auto size = static_cast<std::uint64_t>(st.st_size);
    if (size > limit) {
        return fail(KernelError::kTooLarge,
                    fmt::format("{} has {} bytes, the limit is {}", path.string(), size, limit));
    }
    std::string bytes(size, '\0');
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t n = ::read(file.fd, bytes.data() + at, bytes.size() - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += static_cast<std::size_t>(n);
    }
    bytes.resize(at);
    return bytes;
}

}  // namespace esper::execution
