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

#define ESPER_FILE_ERRORS(X)                                                            \
    X(kNotFound, kData) X(kUnreadable, kData) X(kUnwritable, kRuntime) X(kTooLarge, kData) \
        X(kTruncated, kVerification) X(kChecksumMismatch, kVerification) X(kNotEnvelope, kData)
ESPER_DEFINE_ERRORS(FileError, "files", ESPER_FILE_ERRORS)

/// The whole file; refuses files larger than `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t limit = std::uint64_t{1} << 34);

/// Writes to a temporary name in the same folder, syncs, renames over `path`, syncs the folder:
/// a reader (or a crash) sees the old content or the new, never a mixture.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);
Status write_file_atomic(const std::filesystem::path& path,
                         std::span<const std::string_view> pieces);

/// The same with an envelope: 8-byte magic, u32 version, u64 length, payload, SHA-256 over all of
/// it. `read_checked_file` refuses a wrong magic (kNotEnvelope), a short file (kTruncated) and any
/// flipped bit (kChecksumMismatch).
Status write_checked_file(const std::filesystem::path& path, std::string_view magic8,
                          std::uint32_t version, std::span<const std::string_view> payload);
struct CheckedFile {
    std::uint32_t version = 0;
    std::string payload;
};
Result<CheckedFile> read_checked_file(const std::filesystem::path& path, std::string_view magic8);

/// Appends whole lines to a file with one write(2) each. Not atomic across a power cut; readers
/// must tolerate a torn last line. Thread-compatible.
class LineAppender {
  public:
    static Result<LineAppender> open(const std::filesystem::path& path);
    LineAppender(LineAppender&&) noexcept;
    LineAppender& operator=(LineAppender&&) noexcept;
    ~LineAppender();

    Status append(std::string_view line);
    /// fdatasync.
    Status sync();
    /// Bytes in the file now.
    std::uint64_t size() const { return size_; }

  private:
    LineAppender(int fd, std::uint64_t size, std::filesystem::path path);
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::filesystem::path path_;
};

/// Cuts a file back to `size` bytes (it must be at least that long).
Status truncate_file(const std::filesystem::path& path, std::uint64_t size);

}  // namespace esper
