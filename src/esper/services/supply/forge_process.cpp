#include "esper/services/supply/forge_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "esper/base/text.h"

namespace esper::supply {

namespace {

std::string all_of(int file) {
    std::string text;
    char piece[4096];
    for (ssize_t n; (n = ::pread(file, piece, sizeof(piece), static_cast<off_t>(text.size()))) > 0;)
        text.append(piece, static_cast<std::size_t>(n));
    return text;
}

/// This process's environment with another folder for temporary files, and the library, whose
/// address may have a password in it, which others could read among the program's arguments.
std::vector<std::string> environment_with(const std::filesystem::path& temporary,
                                          const std::string& library) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable(*entry);
        if (!variable.starts_with("TMPDIR=") && !variable.starts_with("ESPER_LIBRARY="))
            all.emplace_back(variable);
    }
    all.push_back("TMPDIR=" + temporary.string());
    all.push_back("ESPER_LIBRARY=" + library);
    return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

bool write_all(int file, const std::string& text) {
    return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
           ::lseek(file, 0, SEEK_SET) == 0;
}

}  // namespace

ForgeProcess::~ForgeProcess() {
    if (is_running()) {
        ::kill(process_, SIGTERM);
        ::waitpid(process_, nullptr, 0);
    }
    if (said_ >= 0) ::close(said_);
}

std::string ForgeProcess::start(const std::filesystem::path& program, const std::string& library,
                                const std::vector<ForgeOrder>& orders, const ForgeWishes& wishes) {
    const int asked = ::memfd_create("esper-orders", MFD_CLOEXEC);
    said_ = ::memfd_create("esper-outcomes", MFD_CLOEXEC);
    std::string text;
    for (const auto& order : orders) text += text_of(order) + "\n";
    remove_abandoned_folders();
    work_.emplace();
    if (asked < 0 || said_ < 0 || work_->path().empty() || !write_all(asked, text)) {
        if (asked >= 0) ::close(asked);
        return "no memory or no temporary folder for the forge's orders";
    }
    std::vector<std::string> words{program.string(), "forge", "--orders", "--priority",
                                   std::to_string(wishes.nice)};
    words.insert(words.end(), {"--sandbox", std::string(sandbox_wish(wishes.least_sandbox))});
    auto environment = environment_with(work_->path(), library);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, asked, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said_, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // A signal from the keyboard is the run's, which ends this process itself.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const int error = ::posix_spawn(&process_, words[0].c_str(), &actions, &attributes,
                                    pointers_to(words).data(), pointers_to(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    ::close(asked);
    if (error != 0) {
        process_ = 0;
        return "the forge cannot be started: " + std::string(std::strerror(error));
    }
    // From its first instruction on, not only when it asks for it.
    set_priority(process_, wishes.nice);
    return "";
}

std::vector<OrderOutcome> ForgeProcess::outcomes() const {
    std::vector<OrderOutcome> all;
    if (said_ < 0) return all;
    for (const auto& line : split(all_of(said_), '\n'))
        if (auto outcome = outcome_of(line)) all.push_back(std::move(*outcome));
    return all;
}

bool ForgeProcess::is_running() {
    if (process_ == 0) return false;
    if (::waitpid(process_, nullptr, WNOHANG) == 0) return true;
    process_ = 0;
    return false;
}

}  // namespace esper::supply
