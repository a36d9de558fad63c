#include "esper/services/nissa/growing_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "esper/base/descriptor.h"

namespace esper::nissa {

namespace {

constexpr std::size_t kMark = 64;

int open_to_read(const std::filesystem::path& path) {
    return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

std::string read_at(int fd, std::uint64_t at, std::size_t count) {
    std::string text(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const auto got =
            ::pread(fd, text.data() + done, count - done, static_cast<off_t>(at + done));
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
}

std::int64_t ns_of(const timespec& time) {
    return std::int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
}

}  // namespace

FileLook look_at(const std::filesystem::path& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISREG(found.st_mode)) return {.mode = found.st_mode};
    return {true,
            found.st_dev,
            found.st_ino,
            static_cast<std::uint64_t>(found.st_size),
            ns_of(found.st_mtim),
            found.st_mode};
}

std::string why_unread(const std::filesystem::path& path) {
    const auto mode = look_at(path).mode;
    if (mode == 0) return "";
    const auto is = [&](const char* what) {
        return fmt::format("{} is a {}; expected a file that the run itself wrote", path.string(),
                           what);
    };
    if (S_ISLNK(mode)) return is("symbolic link, which is not followed");
    if (S_ISFIFO(mode)) return is("pipe");
    if (S_ISDIR(mode)) return is("folder");
    if (!S_ISREG(mode)) return is("device");
    const Descriptor file(open_to_read(path));
    if (file.get() >= 0 || errno == ENOENT) return "";
    return fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno));
}

Result<std::string> read_stretch(const std::filesystem::path& path, std::uint64_t at,
                                 std::uint64_t bytes) {
    const Descriptor file(open_to_read(path));
    struct stat now {};
    if (file.get() < 0 || ::fstat(file.get(), &now) != 0 || !S_ISREG(now.st_mode))
        return fail(NissaError::kDamagedFile, path.string() + " is not there any more");
    return read_at(file.get(), at, static_cast<std::size_t>(bytes));
}

bool GrowingFile::has_changed() const { return more_ || look_at(path_) != seen_; }

Result<GrowingFile::News> GrowingFile::read(std::size_t most) {
    News news;
    const auto look = look_at(path_);
    if (look == seen_ && !more_) return news;
    const Descriptor file(open_to_read(path_));
    struct stat now {};
    const bool is_there = file.get() >= 0 && ::fstat(file.get(), &now) == 0 && S_ISREG(now.st_mode);
    const auto size = is_there ? static_cast<std::uint64_t>(now.st_size) : 0;
    const bool is_same =
        is_there && size >= offset_ &&
        (offset_ == 0 || (now.st_ino == seen_.inode && now.st_dev == seen_.device)) &&
        read_at(file.get(), offset_ - mark_.size(), mark_.size()) == mark_;
    if (!is_same && offset_ > 0) {
        news.again = true;
        offset_ = 0;
        mark_.clear();
    }
    seen_ = look;
    more_ = false;
    if (!is_there) return news;
    seen_.inode = now.st_ino;
    seen_.device = now.st_dev;
    news.at = offset_;
    news.lines = read_at(file.get(), offset_, std::min<std::uint64_t>(most, size - offset_));
    const bool was_full = news.lines.size() == most;
    const auto end = news.lines.rfind('\n');
    if (end == std::string::npos && was_full)
        return fail(NissaError::kDamagedFile, fmt::format("{}: a line at byte {} is longer than {}",
                                                          path_.string(), offset_, most));
    news.lines.resize(end == std::string::npos ? 0 : end + 1);
    offset_ += news.lines.size();
    more_ = news.more = was_full && offset_ < size;
    if (!news.lines.empty())
        mark_ = news.lines.substr(news.lines.size() - std::min(kMark, news.lines.size()));
    return news;
}

void GrowingFile::skip_to_tail(std::uint64_t bytes) {
    const Descriptor file(open_to_read(path_));
    struct stat now {};
    if (file.get() < 0 || ::fstat(file.get(), &now) != 0 || !S_ISREG(now.st_mode)) return;
    const auto size = static_cast<std::uint64_t>(now.st_size);
    if (size <= bytes) return;
    const auto at = size - bytes;
    const auto head = read_at(file.get(), at, static_cast<std::size_t>(bytes));
    const auto end = head.find('\n');
    if (end == std::string::npos) return;
    offset_ = at + end + 1;
    mark_ = head.substr(end + 1 - std::min(kMark, end + 1), std::min(kMark, end + 1));
    seen_ = {true, now.st_dev, now.st_ino, 0, 0, now.st_mode};
}

}  // namespace esper::nissa
