#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "esper/base/error.h"

namespace esper::utils {

/// A file that is read or written in pieces at given offsets. Errors: S3Error::kLocalFile.
class LocalFile {
  public:
    static Result<LocalFile> open_for_reading(const std::filesystem::path& path);
    /// Keeps the file's content; creates the file if it is missing.
    static Result<LocalFile> open_for_writing(const std::filesystem::path& path);
    LocalFile(LocalFile&& other) noexcept;
    LocalFile& operator=(LocalFile&&) = delete;
    ~LocalFile();

    Result<std::uint64_t> size() const;
    /// Exactly `count` bytes. Safe from several threads.
    Result<std::string> read(std::uint64_t at, std::uint64_t count) const;
    Status write(std::uint64_t at, std::string_view bytes);
    Status truncate(std::uint64_t size);
    Status sync();

  private:
    LocalFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
    tl::unexpected<Error> error(std::string_view doing) const;
    int fd_;
    std::filesystem::path path_;
};

}  // namespace esper::utils
