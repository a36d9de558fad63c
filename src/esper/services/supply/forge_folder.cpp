#include "esper/services/supply/forge_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "esper/base/descriptor.h"

namespace esper::supply {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kBeginning = "esper-forge-of-a-run-";
constexpr const char* kLock = "lock";

fs::path above() {
    std::error_code problem;
    const auto base = fs::temp_directory_path(problem);
    return problem ? fs::path("/tmp") : base;
}

bool take(int lock) { return lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0; }

/// Whether it is a folder of this user, and no link to one.
bool is_own_folder(const fs::path& path) {
    struct stat st {};
    return ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == ::geteuid();
}

}  // namespace

ForgeFolder::ForgeFolder() {
    std::string name = (above() / kBeginning).string() + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return;
    // Under its name only once it is locked: a folder without a lock is left alone.
    const fs::path unlocked = fs::path(name) / "new";
    lock_ = ::open(unlocked.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    std::error_code error;
    if (take(lock_)) fs::rename(unlocked, fs::path(name) / kLock, error);
    if (lock_ >= 0 && !error)
        path_ = name;
    else
        fs::remove_all(name, error);
}

ForgeFolder::~ForgeFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
    if (lock_ >= 0) ::close(lock_);
}

int remove_abandoned_folders() {
    int removed = 0;
    std::error_code error;
    for (fs::directory_iterator at(above(), error), end; !error && at != end; at.increment(error)) {
        const auto& path = at->path();
        if (!path.filename().string().starts_with(kBeginning) || !is_own_folder(path)) continue;
        const Descriptor lock(::open((path / kLock).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (!take(lock.get())) continue;
        std::error_code ignored;
        if (fs::remove_all(path, ignored) > 0) ++removed;
    }
    return removed;
}

}  // namespace esper::supply
