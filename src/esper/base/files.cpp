#include "esper/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "esper/base/descriptor.h"
#include "esper/base/fault_points.h"
#include "esper/base/own_file.h"

namespace esper {
namespace {

std::string reason(int code) { return std::generic_category().message(code); }

tl::unexpected<Error> refuse(FileError code, const std::filesystem::path& path,
                             std::string_view what, int error_number) {
    return fail(code, fmt::format("{}: {}: {}", path.string(), what, reason(error_number)));
}

// Writes all pieces; on failure returns the error number, and some bytes may have been written.
int write_all(int fd, std::span<const std::string_view> pieces) {
    static FaultPoint fault{"files.write"};
    if (fault.fires()) {
        // As a full disk does: a part arrives, then nothing more.
        if (!pieces.empty()) {
            [[maybe_unused]] const ssize_t part =
                ::write(fd, pieces[0].data(), pieces[0].size() / 2);
        }
        return ENOSPC;
    }
    std::vector<iovec> blocks;
    blocks.reserve(pieces.size());
    for (const std::string_view piece : pieces) {
        if (!piece.empty()) blocks.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    std::size_t first = 0;
    while (first < blocks.size()) {
        const auto count = static_cast<int>(std::min<std::size_t>(blocks.size() - first, IOV_MAX));
        const ssize_t written = ::writev(fd, blocks.data() + first, count);
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        auto left = static_cast<std::size_t>(written);
        while (left > 0) {
            iovec& block = blocks[first];
            const std::size_t step = std::min(left, block.iov_len);
            block.iov_base = static_cast<char*>(block.iov_base) + step;
            block.iov_len -= step;
            left -= step;
            if (block.iov_len == 0) ++first;
        }
    }
    return 0;
}

int sync_descriptor(int fd, bool data_only) {
    static FaultPoint fault{"files.sync"};
    if (fault.fires()) return EIO;
    return (data_only ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : errno;
}

int rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
    static FaultPoint fault{"files.rename"};
    if (fault.fires()) return EIO;
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
    static std::atomic<std::uint64_t> serial{0};
    return folder_of(path) / fmt::format(".esper-{}-{}.tmp", ::getpid(), serial.fetch_add(1));
}

// With O_NOFOLLOW a symbolic link gives ELOOP.
bool is_link(int error_number, int flags) {
    return error_number == ELOOP && (flags & O_NOFOLLOW) != 0;
}

tl::unexpected<Error> refuse_link(const std::filesystem::path& path) {
    return fail(
        OwnFileError::kSymbolicLink,
        fmt::format("{} is a symbolic link, which is not followed here; put the file itself "
                    "there",
                    path.string()));
}

Result<std::string> read_file_opened_with(const std::filesystem::path& path, std::uint64_t limit,
                                          int flags) {
    // Non-blocking, so that a pipe without a writer cannot hang us before it is refused.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
    if (file.get() < 0) {
        if (is_link(errno, flags)) return refuse_link(path);
        const bool missing = errno == ENOENT || errno == ENOTDIR;
        return refuse(missing ? FileError::kNotFound : FileError::kUnreadable, path, "cannot open",
                      errno);
    }
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) {
        return refuse(FileError::kUnreadable, path, "cannot examine", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(FileError::kUnreadable,
                    fmt::format("{}: expected a regular file", path.string()));
    }
    const auto too_large = [&](std::uint64_t size) {
        return fail(FileError::kTooLarge, fmt::format("{}: {} bytes or more, at most {} are read",
                                                      path.string(), size, limit));
    };
    const auto expected_size = static_cast<std::uint64_t>(info.st_size);
    if (expected_size > limit) return too_large(expected_size);

    // One byte more than expected: most files then end with a single read that comes back empty.
    std::string content(expected_size + 1, '\0');
    std::size_t length = 0;
    while (true) {
        if (length == content.size()) content.resize(content.size() * 2 + 4096);
        const ssize_t got = ::read(file.get(), content.data() + length, content.size() - length);
        if (got < 0) {
            if (errno == EINTR) continue;
            return refuse(FileError::kUnreadable, path, "cannot read", errno);
        }
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
        if (length > limit) return too_large(length);
    }
    content.resize(length);
    return content;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit) {
    return read_file_opened_with(path, limit, 0);
}

Result<std::string> read_own_file(const std::filesystem::path& path, std::uint64_t limit) {
    return read_file_opened_with(path, limit, O_NOFOLLOW);
}

Status write_file_atomic(const std::filesystem::path& path, std::string_view content) {
    return write_file_atomic(path, std::span(&content, 1));
}

Status write_file_atomic(const std::filesystem::path& path,
                         std::span<const std::string_view> pieces) {
    struct stat existing {};
    const bool exists = ::stat(path.c_str(), &existing) == 0;
    if (exists && !S_ISREG(existing.st_mode) && !S_ISDIR(existing.st_mode))
        return fail(FileError::kUnwritable,
                    fmt::format("{} is a device or a pipe, which a file would take the place of; "
                                "name a file",
                                path.string()));
    const bool keeps_mode = exists && S_ISREG(existing.st_mode);
    const std::filesystem::path temporary = temporary_beside(path);
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                           keeps_mode ? existing.st_mode & 0777 : static_cast<mode_t>(0666)));
    if (file.get() < 0) {
        return refuse(FileError::kUnwritable, path, "cannot create a file beside it", errno);
    }
    const auto give_up = [&](std::string_view what, int error_number) {
        ::unlink(temporary.c_str());
        return refuse(FileError::kUnwritable, path, what, error_number);
    };
    if (keeps_mode && ::fchmod(file.get(), existing.st_mode & 0777) != 0) {
        return give_up("cannot keep its permissions", errno);
    }
    if (const int code = write_all(file.get(), pieces)) return give_up("cannot write", code);
    if (const int code = sync_descriptor(file.get(), false)) return give_up("cannot sync", code);
    if (file.close() != 0) return give_up("cannot close", errno);
    if (const int code = rename_file(temporary, path)) return give_up("cannot rename over", code);

    const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) {
        return refuse(FileError::kUnwritable, path, "written, but cannot open its folder", errno);
    }
    if (const int code = sync_descriptor(folder.get(), false)) {
        return refuse(FileError::kUnwritable, path, "written, but cannot sync its folder", code);
    }
    return {};
}

LineAppender::LineAppender(int fd, std::uint64_t size, bool torn, std::filesystem::path path)
    : fd_(fd), size_(size), torn_(torn), path_(std::move(path)) {}

LineAppender::LineAppender(LineAppender&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      torn_(other.torn_),
      path_(std::move(other.path_)) {}

LineAppender& LineAppender::operator=(LineAppender&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(size_, other.size_);
    std::swap(torn_, other.torn_);
    std::swap(path_, other.path_);
    return *this;
}

LineAppender::~LineAppender() {
    if (fd_ >= 0) ::close(fd_);
}

Result<LineAppender> LineAppender::open(const std::filesystem::path& path) {
    constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    const int fd = ::open(path.c_str(), kFlags, 0666);
    if (fd < 0 && is_link(errno, kFlags)) return refuse_link(path);
    if (fd < 0) return refuse(FileError::kUnwritable, path, "cannot open for appending", errno);
    LineAppender appender(fd, 0, false, path);
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
        return refuse(FileError::kUnwritable, path, "cannot examine", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(FileError::kUnwritable,
                    fmt::format("{}: expected a regular file", path.string()));
    }
    appender.size_ = static_cast<std::uint64_t>(info.st_size);
    char last = '\n';
    if (info.st_size > 0 && ::pread(fd, &last, 1, info.st_size - 1) != 1) {
        return refuse(FileError::kUnwritable, path, "cannot read its last byte", errno);
    }
    appender.torn_ = last != '\n';
    return appender;
}

Status LineAppender::append(std::string_view line) {
    if (line.find('\n') != std::string_view::npos) {
        return fail(FileError::kBadArgument,
                    fmt::format("{}: expected one line, got several", path_.string()));
    }
    std::string whole;
    whole.reserve(line.size() + 2);
    if (torn_) whole.push_back('\n');
    whole.append(line).push_back('\n');
    const std::string_view piece = whole;
    if (const int code = write_all(fd_, std::span(&piece, 1))) {
        // Should the cut fail too, the next append starts on a new line.
        torn_ = ::ftruncate(fd_, static_cast<off_t>(size_)) != 0 || torn_;
        return refuse(FileError::kUnwritable, path_, "cannot append", code);
    }
    size_ += whole.size();
    torn_ = false;
    return {};
}

Status LineAppender::sync() {
    if (const int code = sync_descriptor(fd_, true)) {
        return refuse(FileError::kUnwritable, path_, "cannot sync", code);
    }
    return {};
}

Status truncate_file(const std::filesystem::path& path, std::uint64_t size) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) {
        if (is_link(errno, O_NOFOLLOW)) return refuse_link(path);
        return refuse(errno == ENOENT ? FileError::kNotFound : FileError::kUnwritable, path,
                      "cannot open", errno);
    }
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) {
        return refuse(FileError::kUnwritable, path, "cannot examine", errno);
    }
    if (static_cast<std::uint64_t>(info.st_size) < size) {
        return fail(FileError::kTruncated,
                    fmt::format("{}: expected at least {} bytes to keep, found {}", path.string(),
                                size, info.st_size));
    }
    if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
        return refuse(FileError::kUnwritable, path, "cannot truncate", errno);
    }
    if (const int code = sync_descriptor(file.get(), false)) {
        return refuse(FileError::kUnwritable, path, "cannot sync", code);
    }
    return {};
}

}  // namespace esper
