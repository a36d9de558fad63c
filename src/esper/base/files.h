#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/error.h"

namespace esper {

#define ESPER_FILE_ERRORS(X)     \
    X(kNotFound, kData)          \
    X(kUnreadable, kData)        \
    X(kUnwritable, kRuntime)     \
    X(kTooLarge, kData)          \
    X(kTruncated, kVerification) \
    X(kChecksumMismatch, kVerification) X(kNotEnvelope, kData) X(kBadArgument, kUsage)
ESPER_DEFINE_ERRORS(FileError, "files", ESPER_FILE_ERRORS)

/// The whole file; refuses files larger than `limit` bytes and whatever is not a regular file.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t limit = std::uint64_t{1} << 34);

/// Writes to a temporary name in the same folder, syncs, renames over `path`, syncs the folder:
/// a reader (or a crash) sees the old content or the new, never a mixture. An existing file keeps
/// its permission bits; a symbolic link is replaced, not followed. When it fails, the old content
/// is untouched, except that a failure of the folder's own sync comes after the rename.
/// Fault points: files.write, files.sync, files.rename.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);
Status write_file_atomic(const std::filesystem::path& path,
                         std::span<const std::string_view> pieces);

/// The same with an envelope: 8-byte magic, u32 version, u64 length, payload, SHA-256 over all of
/// it, integers little-endian. `read_checked_file` refuses a wrong magic (kNotEnvelope), a file
/// shorter than its header says (kTruncated) and any flipped bit (kChecksumMismatch; a flip in the
/// magic or length may show as kNotEnvelope or kTruncated). `magic8` must have 8 bytes
/// (kBadArgument).
Status write_checked_file(const std::filesystem::path& path, std::string_view magic8,
                          std::uint32_t version, std::span<const std::string_view> payload);
struct CheckedFile {
    std::uint32_t version = 0;
    std::string payload;
};
Result<CheckedFile> read_checked_file(const std::filesystem::path& path, std::string_view magic8);

/// Appends whole lines to a file with one write(2) each. Not atomic across a power cut; readers
/// must tolerate a torn last line. A torn line found on opening is closed off by the next append,
/// so that it spoils no line but itself. One writer per file; thread-compatible.
/// Fault points: files.write, files.sync.
class LineAppender {
  public:
    static Result<LineAppender> open(const std::filesystem::path& path);
    LineAppender(LineAppender&&) noexcept;
    LineAppender& operator=(LineAppender&&) noexcept;
    ~LineAppender();

    /// `line` comes without its newline and holds none (kBadArgument). On failure the file is cut
    /// back to what it was.
    Status append(std::string_view line);
    /// fdatasync.
    Status sync();
    /// Bytes in the file now.
    std::uint64_t size() const { return size_; }

  private:
    LineAppender(int fd, std::uint64_t size, bool torn, std::filesystem::path path);
    int fd_ = -1;
    std::uint64_t size_ = 0;
    bool torn_ = false;
    std::filesystem::path path_;
};

/// Cuts a file back to `size` bytes and syncs it; kTruncated when it is shorter than that.
Status truncate_file(const std::filesystem::path& path, std::uint64_t size);

}  // namespace esper
