#include "esper/execution/kernels/trust/key_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "esper/base/files.h"
#include "esper/execution/kernels/kernel_bundle.h"

namespace esper::execution {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRingMagic = "ESPRING1";
constexpr std::string_view kSecretMagic = "ESPSECR1";
constexpr std::uint32_t kKeyFileVersion = 1;
constexpr std::string_view kHowToMend =
    "restore it from a copy, or make new keys with esper keys init in another folder";

fs::path ring_of(const fs::path& folder) { return folder / "ring"; }
fs::path secret_of(const fs::path& folder, std::string_view id) {
    return folder / fmt::format("{}.key", id);
}

tl::unexpected<Error> bad_file(const fs::path& path, const std::string& what) {
    return fail(TrustError::kBadKeyFile,
                fmt::format("{}: {}; {}", path.string(), what, kHowToMend));
}

/// Keeps other processes out while the folder is changed.
class FolderLock {
  public:
    explicit FolderLock(const fs::path& folder)
        : fd_(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
        while (fd_ >= 0 && ::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
        }
    }
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    ~FolderLock() {
        if (fd_ >= 0) ::close(fd_);
    }
    bool taken() const { return fd_ >= 0; }

  private:
    int fd_;
};

/// Writes a checked file that only this user may read, from its first byte on. The caller holds the
/// folder's lock.
Status write_private(const fs::path& path, std::string_view magic, std::string_view payload) {
    const fs::path next = path.string() + ".new";
    const int made = ::open(next.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made >= 0) ::close(made);  // write_checked_file keeps its permission bits
    ESPER_CHECK_STATUS(write_checked_file(next, magic, kKeyFileVersion, std::span(&payload, 1)));
    if (::rename(next.c_str(), path.c_str()) != 0)
        return fail(FileError::kUnwritable,
                    fmt::format("{}: {}", path.string(), std::strerror(errno)));
    const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
    return {};
}

/// Makes a key and writes its secret; `ring` gets it with the seals of `signers`, or, where it has
/// no key yet, as its root.
Result<Signer> make_key(const fs::path& folder, KeyRing& ring, KeyRole role,
                        std::span<const Signer> signers, contracts::Timestamp when) {
    ESPER_TRY(const KeyPair pair, generate_key_pair());
    ESPER_TRY(Signer made, Signer::make(role, pair.secret));
    const std::string secret = fmt::format("{} {}", contracts::to_text(role), to_hex(pair.secret));
    ESPER_CHECK_STATUS(write_private(secret_of(folder, made.id()), kSecretMagic, secret));
    if (ring.keys().empty()) {
        ESPER_TRY(ring, KeyRing::make(made, when));
    } else {
        ESPER_CHECK_STATUS(ring.add(role, made.open(), when, signers));
    }
    return made;
}

Status write_ring(const fs::path& folder, const KeyRing& ring) {
    return write_private(ring_of(folder), kRingMagic, ring.text());
}

/// Its payload, after the checks that KeyFolder promises.
Result<std::string> read_private(const fs::path& path, std::string_view magic) {
    if (auto plain = read_bundle_file(path, 1 << 20); !plain) {
        if (plain.error().is(KernelError::kUnreadable)) return fail(plain.error());
        return bad_file(path, plain.error().message());
    }
    auto file = read_checked_file(path, magic);
    if (!file) return bad_file(path, file.error().message());
    if (file->version != kKeyFileVersion)
        return bad_file(path, fmt::format("version {} is newer than this build", file->version));
    return std::move(file->payload);
}

}  // namespace

fs::path KeyFolder::default_path(const fs::path& library) {
    const char* chosen = std::getenv("ESPER_KEYS");
    return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : library / "keys";
}

Result<bool> KeyFolder::make_missing() const {
    std::error_code error;
    if (fs::exists(ring_of(path_), error)) return false;
    fs::create_directories(path_, error);
    if (!error) fs::permissions(path_, fs::perms::owner_all, error);
    const FolderLock lock(path_);
    if (error || !lock.taken())
        return fail(
            FileError::kUnwritable,
            fmt::format("{}: cannot keep keys here: {}; set ESPER_KEYS to a folder that can "
                        "be written",
                        path_.string(), error ? error.message() : std::strerror(errno)));
    if (fs::exists(ring_of(path_), error)) return false;  // another process was first
    const contracts::Timestamp when = contracts::now(*clock_);
    KeyRing ring;
    ESPER_TRY(const Signer root, make_key(path_, ring, KeyRole::kRoot, {}, when));
    for (const KeyRole role : {KeyRole::kForge, KeyRole::kGauntlet, KeyRole::kLibrary}) {
        ESPER_CHECK_STATUS(make_key(path_, ring, role, std::span(&root, 1), when));
    }
    ESPER_CHECK_STATUS(write_ring(path_, ring));
    return true;
}

Status KeyFolder::keep_ring(const KeyRing& ring) const { return write_ring(path_, ring); }

Result<KeyRing> KeyFolder::ring() const {
    ESPER_TRY(const std::string text, read_private(ring_of(path_), kRingMagic));
    return KeyRing::parse(text);
}

Result<Signer> KeyFolder::signer(KeyRole role) const {
    ESPER_TRY(const KeyRing ring, this->ring());
    const auto* key = ring.newest(role);
    if (key == nullptr)
        return fail(
            TrustError::kNoKey,
            fmt::format("{}: no key of role {} is trusted; esper keys rotate {} makes one",
                        path_.string(), contracts::to_text(role), contracts::to_text(role)));
    const fs::path path = secret_of(path_, key->id);
    auto text = read_private(path, kSecretMagic);
    if (!text && text.error().is(KernelError::kUnreadable))
        return fail(TrustError::kNoKey,
                    fmt::format("the secret half of {} key {} is not on this machine ({})",
                                contracts::to_text(role), key->id, path.string()));
    ESPER_CHECK_STATUS(text);
    const std::string prefix = std::string(contracts::to_text(role)) + ' ';
    PrivateKey secret{};
    if (!text->starts_with(prefix) ||
        !from_hex(std::string_view(*text).substr(prefix.size()), secret))
        return bad_file(path, "expected its role and 64 hex digits");
    ESPER_TRY(Signer signer, Signer::make(role, secret));
    if (signer.id() != key->id) return bad_file(path, "it holds another key than its name says");
    return signer;
}

Result<std::string> KeyFolder::rotate(KeyRole role) const {
    const FolderLock lock(path_);
    ESPER_TRY(KeyRing ring, this->ring());
    std::vector<Signer> signers;
    if (role != KeyRole::kRoot && ring.newest(role) != nullptr) {
        ESPER_TRY(Signer present, signer(role));
        signers.push_back(std::move(present));
    }
    ESPER_TRY(Signer root, signer(KeyRole::kRoot));
    signers.push_back(std::move(root));
    ESPER_TRY(const Signer made, make_key(path_, ring, role, signers, contracts::now(*clock_)));
    ESPER_CHECK_STATUS(write_ring(path_, ring));
    return made.id();
}

Status KeyFolder::revoke(std::string_view id) const {
    const FolderLock lock(path_);
    ESPER_TRY(KeyRing ring, this->ring());
    ESPER_TRY(const Signer root, signer(KeyRole::kRoot));
    ESPER_CHECK_STATUS(ring.revoke(id, contracts::now(*clock_), root));
    return write_ring(path_, ring);
}

}  // namespace esper::execution
