#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "esper/base/error.h"

namespace esper {

/// A file mapped into memory, privately: pages are read when they are first touched, and copied
/// when they are first written, so the file itself never changes. Whoever cuts the file short while
/// it is mapped gets SIGBUS in this process; replace files, don't truncate them.
class MappedFile {
  public:
    /// Errors: FileError::kNotFound, kUnreadable (also for what is not a regular file).
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
