#include "esper/execution/kernels/kernel_bundle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "esper/kernel_abi.h"

namespace esper::execution {
namespace {

constexpr std::string_view kMagic = "ESPBUND1";
constexpr std::string_view kObjectName = "kernel.so";
constexpr std::uint64_t kMaxManifest = 1 << 20;

struct Manifest {
    std::string artifact;
    std::int64_t abi = 0;
    std::string object_sha256;
};

Result<Manifest> read_manifest(std::string_view text) {
    auto bad = [](std::string_view what) {
        return fail(KernelError::kBadManifest,
                    fmt::format("a kernel's manifest must be JSON with artifact, abi and "
                                "files.\"kernel.so\"; {}",
                                what));
    };
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return bad("this is no JSON object");
    const auto artifact = json.find("artifact"), abi = json.find("abi"), files = json.find("files");
    if (artifact == json.end() || !artifact->is_string()) return bad("artifact is missing");
    if (abi == json.end() || !abi->is_number_integer()) return bad("abi is missing");
    if (files == json.end() || !files->is_object()) return bad("files is missing");
    const auto digest = files->find(kObjectName);
    if (digest == files->end() || !digest->is_string())
        return bad("the object's digest is missing");
    return Manifest{artifact->get<std::string>(), abi->get<std::int64_t>(),
                    digest->get<std::string>()};
}

void put_u64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}
std::uint64_t get_u64(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

}  // namespace

Result<KernelBundle> make_bundle(std::string_view artifact_id, std::string object,
                                 const PrivateKey& key) {
    KernelBundle bundle;
    bundle.artifact_id = artifact_id;
    bundle.manifest = nlohmann::json{{"artifact", artifact_id},
                                     {"abi", ESPER_KERNEL_ABI},
                                     {"files", {{kObjectName, sha256(object).hex()}}}}
                          .dump();
    bundle.object = std::move(object);
    ESPER_TRY(bundle.signature, sign(key, bundle.manifest));
    return bundle;
}

std::string serialise_bundle(const KernelBundle& bundle) {
    std::string out(kMagic);
    put_u64(out, bundle.manifest.size());
    out += bundle.manifest;
    out.append(reinterpret_cast<const char*>(bundle.signature.data()), bundle.signature.size());
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
    auto take = [&rest](std::uint64_t n) {
        const std::string_view piece = rest.substr(0, n);
        rest.remove_prefix(n);
        return piece;
    };
    if (rest.size() < 16 || take(8) != kMagic) return bad("the magic ESPBUND1 is missing");
    const std::uint64_t manifest = get_u64(take(8));
    if (manifest > kMaxManifest || rest.size() < manifest) return bad("cut short in the manifest");
    KernelBundle bundle;
    bundle.manifest = take(manifest);
    if (rest.size() < 64 + 8) return bad("cut short in the signature");
    std::memcpy(bundle.signature.data(), take(64).data(), 64);
    if (get_u64(take(8)) != rest.size()) return bad("the object has another length than it says");
    bundle.object = rest;
    ESPER_TRY(const Manifest parsed, read_manifest(bundle.manifest));
    bundle.artifact_id = parsed.artifact;
    return bundle;
}

Status verify_bundle(const KernelBundle& bundle, std::span<const PublicKey> trusted,
                     std::uint64_t id) {
    if (!signed_by_one_of(trusted, bundle.manifest, bundle.signature)) {
        return fail(KernelError::kBadSignature,
                    fmt::format("{}: none of the {} trusted keys signed this manifest",
                                bundle.artifact_id, trusted.size()));
    }
    ESPER_TRY(const Manifest manifest, read_manifest(bundle.manifest));
    const std::string digest = sha256(bundle.object).hex();
    if (digest != manifest.object_sha256) {
        return fail(KernelError::kDigestMismatch,
                    fmt::format("{}: the object's SHA-256 is {}, the manifest says {}",
                                manifest.artifact, digest, manifest.object_sha256));
    }
    if (manifest.abi != ESPER_KERNEL_ABI) {
        return fail(KernelError::kAbiMismatch,
                    fmt::format("{}: made for kernel interface {}, this is {}; compile it anew",
                                manifest.artifact, manifest.abi, ESPER_KERNEL_ABI));
    }
    if (kernel_id_of(manifest.artifact) != id) {
        return fail(KernelError::kWrongKernel,
                    fmt::format("asked for kernel {:016x}, got {} ({:016x})", id, manifest.artifact,
                                kernel_id_of(manifest.artifact)));
    }
    return {};
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
