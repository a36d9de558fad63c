#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "esper/base/error.h"

namespace esper {

/// A private mapping of a file: a page is read at its first access and copied at its first write,
/// so the file itself never changes. If another program shortens the file while it is mapped, this
/// process receives SIGBUS; replace such files, do not truncate them.
class MappedFile {
  public:
    /// Errors: FileError::kNotFound, kUnreadable (also for anything but a regular file).
    static Result<std::shared_ptr<MappedFile>> open(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    char* data() const { return data_; }
    std::size_t size() const { return size_; }

  private:
    MappedFile(char* data, std::size_t size) : data_(data), size_(size) {}
    char* data_;
    std::size_t size_;
};

}  // namespace esper
