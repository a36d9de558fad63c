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

/// The whole file. Refuses files larger than `limit` bytes and anything but a regular file.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t limit = std::uint64_t{1} << 34);

/// Writes a temporary file in the same folder, syncs it, renames it to `path` and syncs the folder.
/// Readers, also after a crash, see the old content or the new content, never a mixture. An
/// existing file keeps its permission bits; a symbolic link is replaced, not followed. On an error
/// the old content is still there, unless the error is the folder's sync, which follows the rename.
/// Fault points: files.write, files.sync, files.rename.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);
Status write_file_atomic(const std::filesystem::path& path,
                         std::span<const std::string_view> pieces);

/// The same with an envelope: 8-byte magic, u32 version, u64 length, payload, SHA-256 over all
/// before it; integers are little-endian. `read_checked_file` refuses a wrong magic (kNotEnvelope),
/// a file shorter than its header says (kTruncated) and any changed bit (kChecksumMismatch, or the
/// two others if the bit belongs to the magic or the length). `magic8` must have 8 bytes, else
/// kBadArgument.
Status write_checked_file(const std::filesystem::path& path, std::string_view magic8,
                          std::uint32_t version, std::span<const std::string_view> payload);
struct CheckedFile {
    std::uint32_t version = 0;
    std::string payload;
};
Result<CheckedFile> read_checked_file(const std::filesystem::path& path, std::string_view magic8);

/// Appends whole lines to a file, each with one write(2). After a power cut the last line may be
/// incomplete; readers must tolerate that. If open() finds an incomplete last line, the next append
/// starts on a new line, so no other line is damaged. One writer per file; thread-compatible.
/// Fault points: files.write, files.sync.
class LineAppender {
  public:
    static Result<LineAppender> open(const std::filesystem::path& path);
    LineAppender(LineAppender&&) noexcept;
    LineAppender& operator=(LineAppender&&) noexcept;
    ~LineAppender();

    /// `line` must not contain a newline (kBadArgument); append() writes it. After a failure the
    /// file has its old length.
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

/// Shortens a file to `size` bytes and syncs it. Error: kTruncated when it is already shorter.
Status truncate_file(const std::filesystem::path& path, std::uint64_t size);

}  // namespace esper
