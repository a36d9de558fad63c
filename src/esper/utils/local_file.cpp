#include "esper/utils/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "esper/utils/s3_client.h"

namespace esper::utils {

tl::unexpected<Error> LocalFile::error(std::string_view doing) const {
    return fail(S3Error::kLocalFile,
                fmt::format("cannot {} {}: {}", doing, path_.string(), std::strerror(errno)));
}

Result<LocalFile> LocalFile::open_for_reading(const std::filesystem::path& path) {
    LocalFile f(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
    if (f.fd_ < 0) return f.error("open");
    return f;
}

Result<LocalFile> LocalFile::open_for_writing(const std::filesystem::path& path) {
    LocalFile f(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644), path);
    if (f.fd_ < 0) return f.error("open");
    return f;
}

LocalFile::LocalFile(LocalFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

LocalFile::~LocalFile() {
    if (fd_ >= 0) ::close(fd_);
}

Result<std::uint64_t> LocalFile::size() const {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return error("look at");
    if (!S_ISREG(info.st_mode)) {
        errno = EISDIR;
        return error("use as a file");
    }
    return static_cast<std::uint64_t>(info.st_size);
}

Result<std::string> LocalFile::read(std::uint64_t at, std::uint64_t count) const {
    std::string out(count, '\0');
    std::uint64_t done = 0;
    while (done < count) {
        const ssize_t n =
            ::pread(fd_, out.data() + done, count - done, static_cast<off_t>(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error("read");
        if (n == 0) {
            errno = ENODATA;
            return error("read as many bytes as expected from");
        }
        done += static_cast<std::uint64_t>(n);
    }
    return out;
}

Status LocalFile::write(std::uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error("write");
        at += static_cast<std::uint64_t>(n);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Status LocalFile::truncate(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return error("cut");
    return {};
}

Status LocalFile::sync() {
    if (::fsync(fd_) != 0) return error("sync");
    return {};
}

}  // namespace esper::utils
