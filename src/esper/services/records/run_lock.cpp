#include "esper/services/records/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include "esper/base/files.h"
#include "esper/base/own_file.h"

namespace esper::records {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMostText = 1024;

fs::path file_of(const fs::path& folder) { return folder / "lock"; }

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "?";
}

struct Holder {
    int process = 0;
    std::string host;
    bool is_here() const { return host == host_name(); }
};

/// Who is named in a lock file; nothing for a text that no trainer has written.
std::optional<Holder> holder_in(std::string_view text) {
    Holder found;
    const auto* const all = text.data() + text.size();
    const auto [end, code] = std::from_chars(text.data(), all, found.process);
    if (code != std::errc{} || found.process <= 0 || end == all || *end != ' ') return std::nullopt;
    found.host = std::string(end + 1, all);
    found.host.erase(found.host.find_last_not_of('\n') + 1);
    return found;
}

struct LockText {
    bool is_written = false;  ///< a trainer writes it just after it has opened the file
    std::optional<Holder> holder = {};
};

/// What a folder's lock file says; takes no lock.
LockText read_lock_text(const fs::path& folder) {
    const auto text = read_own_file(file_of(folder), kMostText);
    if (!text) return {!text.error().is(FileError::kNotFound)};  // a trainer follows no link
    return {!text->empty(), holder_in(*text)};
}

std::optional<Holder> read_holder(int fd) {
    std::array<char, 512> text{};
    if (::pread(fd, text.data(), text.size() - 1, 0) <= 0) return std::nullopt;
    return holder_in(text.data());
}

tl::unexpected<Error> in_use(const fs::path& folder, const std::optional<Holder>& holder) {
    return fail(RecordsError::kFolderInUse,
                fmt::format("{} is in use by {}; wait for it to end or stop it (Ctrl-C, SIGTERM)",
                            folder.string(),
                            holder ? fmt::format("process {} on {}", holder->process, holder->host)
                                   : "another process"));
}

}  // namespace

Result<RunLock> RunLock::take(const fs::path& folder) {
    const int fd = ::open(file_of(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 && errno == ELOOP)
        return fail(OwnFileError::kSymbolicLink,
                    file_of(folder).string() + " is a symbolic link, which is not followed");
    if (fd < 0)
        return fail(FileError::kUnwritable,
                    file_of(folder).string() + ": cannot open: " + std::strerror(errno));
    RunLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return in_use(folder, read_holder(fd));
        return fail(FileError::kUnwritable,
                    file_of(folder).string() + ": cannot lock: " + std::strerror(errno));
    }
    // Only for people and for `esper rollback`; that it cannot be written takes nothing away.
    const auto text = fmt::format("{} {}\n", ::getpid(), host_name());
    if (::ftruncate(fd, 0) == 0) {
        [[maybe_unused]] const auto written = ::pwrite(fd, text.data(), text.size(), 0);
    }
    return lock;
}

Result<std::optional<int>> RunLock::holder(const fs::path& folder) {
    const int fd = ::open(file_of(folder).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return std::optional<int>{};
    const RunLock probe(fd);
    if (::flock(fd, LOCK_SH | LOCK_NB) == 0) return std::optional<int>{};
    const auto found = read_holder(fd);
    if (!found || !found->is_here()) return in_use(folder, found);
    return std::optional<int>(found->process);
}

bool RunLock::is_there(const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(file_of(folder), ignored);
}

bool RunLock::is_in(const fs::path& folder) const {
    struct stat held {
    }, there{};
    if (::lstat(file_of(folder).c_str(), &there) != 0)  // somebody took only the file away
        return ::stat(folder.c_str(), &there) == 0 && S_ISDIR(there.st_mode);
    return ::fstat(fd_, &held) == 0 && held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

std::optional<int> RunLock::process_here(const fs::path& folder) {
    const auto named = read_lock_text(folder).holder;
    return named && named->is_here() ? std::optional(named->process) : std::nullopt;
}

bool RunLock::is_left_behind(const fs::path& folder) {
    const auto text = read_lock_text(folder);
    const auto& named = text.holder;
    if (!named) return text.is_written;
    return named->is_here() && ::kill(named->process, 0) != 0 && errno == ESRCH;
}

RunLock::~RunLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace esper::records
