#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// Keeps every other process (and every other trainer of this one) out of a run's folder: an
/// advisory lock (flock) on its file `lock`, which names the holder's process. The kernel drops the
/// lock when the process ends, however it ends; the file stays, and says that the folder is a
/// run's.
class RunLock {
  public:
    /// Makes the file where it is missing. Errors: kFolderInUse, FileError::kUnwritable,
    /// OwnFileError::kSymbolicLink.
    static Result<RunLock> take(const std::filesystem::path& folder);
    /// The process that holds the folder at present; nothing when nobody does, or when it runs on
    /// another machine. Errors: kFolderInUse where the holder cannot be told from here.
    static Result<std::optional<int>> holder(const std::filesystem::path& folder);
    static bool is_there(const std::filesystem::path& folder);
    /// Whether `folder` is there and no other lock's: it may have been moved or removed.
    bool is_in(const std::filesystem::path& folder) const;
    /// Whether the process that the file names is known not to be there any more. One of another
    /// machine may be. No trainer has written a file that is a link or names no process; an empty
    /// one is about to be written. Takes no lock, so it turns no trainer away.
    static bool is_left_behind(const std::filesystem::path& folder);

    /// The process that the file names, where it is one of this machine's. It need not be there any
    /// more. Takes no lock.
    static std::optional<int> process_here(const std::filesystem::path& folder);

    RunLock(RunLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    RunLock& operator=(RunLock&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~RunLock();

  private:
    explicit RunLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace esper::records
