#include "esper/utils/log_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace esper::utils {
namespace {

Status write_all(int fd, std::string_view lines, std::string_view where) {
    while (!lines.empty()) {
        const ssize_t n = ::write(fd, lines.data(), lines.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            return fail(LogError::kCannotWrite,
                        fmt::format("cannot write to {}: {}", where, std::strerror(errno)));
        }
        lines.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

class StderrSink final : public LogSink {
  public:
    Status write(std::string_view lines) override {
        return write_all(STDERR_FILENO, lines, "standard error");
    }
};

class FileSink final : public LogSink {
  public:
    FileSink(std::filesystem::path path, std::uint64_t max_bytes, int keep)
        : path_(std::move(path)), max_bytes_(max_bytes), keep_(keep) {}
    ~FileSink() override {
        if (fd_ >= 0) ::close(fd_);
    }

    Status open() {
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd_ < 0) {
            return fail(LogError::kCannotOpen, fmt::format("cannot open the log file {}: {}",
                                                           path_.string(), std::strerror(errno)));
        }
        std::error_code ignored;
        size_ = std::filesystem::is_regular_file(path_, ignored)
                    ? std::filesystem::file_size(path_, ignored)
                    : 0;
        return {};
    }

    Status write(std::string_view lines) override {
        if (max_bytes_ > 0 && size_ > 0 && size_ + lines.size() > max_bytes_) {
            ESPER_CHECK_STATUS(rotate());
        }
        size_ += lines.size();
        return write_all(fd_, lines, path_.string());
    }

  private:
    std::filesystem::path numbered(int n) const {
        return n == 0 ? path_ : std::filesystem::path(fmt::format("{}.{}", path_.string(), n));
    }

    Status rotate() {
        ::close(fd_);
        std::error_code ignored;
        for (int n = keep_; n > 0; --n) {
            std::filesystem::rename(numbered(n - 1), numbered(n), ignored);
        }
        if (keep_ == 0) std::filesystem::remove(path_, ignored);
        return open();
    }

    std::filesystem::path path_;
    std::uint64_t max_bytes_;
    int keep_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace

Result<std::unique_ptr<LogSink>> file_sink(const std::filesystem::path& path,
                                           std::uint64_t max_bytes, int keep) {
    auto sink = std::make_unique<FileSink>(path, max_bytes, keep);
    ESPER_CHECK_STATUS(sink->open());
    return sink;
}

std::unique_ptr<LogSink> stderr_sink() { return std::make_unique<StderrSink>(); }

}  // namespace esper::utils
