#pragma once

#include <filesystem>

#include "esper/base/clock.h"
#include "esper/execution/kernels/trust/key_ring.h"

namespace esper::execution {

/// The keys of this user: a folder (mode 0700) with the ring of public keys and one file (mode
/// 0600) for each secret. A file that is a link, belongs to somebody else, or that others may write
/// to, is refused. Processes may use one folder at once.
class KeyFolder {
  public:
    /// $ESPER_KEYS, else `keys` inside of the library's folder.
    static std::filesystem::path default_path(const std::filesystem::path& library);

    explicit KeyFolder(std::filesystem::path path, Clock& clock = system_clock())
        : path_(std::move(path)), clock_(&clock) {}
    const std::filesystem::path& path() const { return path_; }

    /// Makes one key of each role unless the folder has a ring. Returns whether it made them.
    Result<bool> make_missing() const;
    /// Writes the public halves and no secret, into a folder that is there.
    Status keep_ring(const KeyRing& ring) const;
    /// Errors: kBadKeyFile, and those of KeyRing::parse.
    Result<KeyRing> ring() const;
    /// The newest trusted key of that role. Errors: kNoKey, kBadKeyFile.
    Result<Signer> signer(KeyRole role) const;
    /// Makes the next key of a role, signed by the present one (unless that is revoked) and by the
    /// root. Returns its id.
    Result<std::string> rotate(KeyRole role) const;
    /// Errors: kUnknownKey, kRootKey.
    Status revoke(std::string_view id) const;

  private:
    std::filesystem::path path_;
    Clock* clock_;
};

}  // namespace esper::execution
