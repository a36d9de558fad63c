#pragma once
// nissa: shows runs while they train and afterwards. It only reads, takes no lock, and treats
// everything in a run's folder as a stranger's.

#include <cstdint>
#include <filesystem>
#include <string>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// How a file looks without being opened.
struct FileLook {
    bool is_there = false;  ///< and is a regular file, no symbolic link
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed_ns = 0;  ///< since 1970
    std::uint32_t mode = 0;       ///< kind and rights, as in stat(2); 0 where nothing is there
    bool operator==(const FileLook&) const = default;
};
FileLook look_at(const std::filesystem::path& path);

/// Why what stands at `path` is not read: it is a link, a pipe, a folder, or this user may not.
/// Empty where it may be read and where nothing is there.
std::string why_unread(const std::filesystem::path& path);

/// `bytes` bytes of a file from `at` on, fewer where it ends before. A symbolic link is not
/// followed. Error: kDamagedFile where there is no regular file.
Result<std::string> read_stretch(const std::filesystem::path& path, std::uint64_t at,
                                 std::uint64_t bytes);

/// A file to which another process appends lines. It is opened for each read and never locked; a
/// symbolic link and anything but a regular file count as no file. Not thread-safe.
class GrowingFile {
  public:
    explicit GrowingFile(std::filesystem::path path) : path_(std::move(path)) {}

    struct News {
        /// What was read before no longer stands in the file: it was shortened, replaced or
        /// removed. `lines` begins at its start again.
        bool again = false;
        std::string lines;     ///< whole lines, with their ends
        std::uint64_t at = 0;  ///< where `lines` begins in the file
        bool more = false;     ///< there are further lines to read now
    };
    /// What came since the last call, about `most` bytes at a time; a line without its end waits
    /// until it has one. Error: kDamagedFile for a line longer than `most`.
    Result<News> read(std::size_t most);

    /// The next read() begins with the first whole line of the last `bytes` bytes.
    void skip_to_tail(std::uint64_t bytes);

    /// Whether the file looks otherwise than at the last read(), without opening it.
    bool has_changed() const;

  private:
    std::filesystem::path path_;
    FileLook seen_;
    std::uint64_t offset_ = 0;
    std::string mark_;  ///< the bytes before offset_, by which the same file is known again
    bool more_ = false;
};

}  // namespace esper::nissa
