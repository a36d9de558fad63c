#include "esper/cli/run_processes.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "esper/base/files.h"
#include "esper/cli/signals.h"

namespace esper::cli {

namespace {

constexpr const char* kOwnProgram = "/proc/self/exe";

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

// The configuration that a run is given holds what the environment said already, and more.
std::vector<char*> environment_without_keys() {
    std::vector<char*> kept;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text(*variable);
        const auto name = text.substr(0, text.find('='));
        const bool is_key = name.starts_with("ESPER_") && name.find("__") != std::string_view::npos;
        if (!is_key && name != "ESPER_PROFILE") kept.push_back(*variable);
    }
    kept.push_back(nullptr);
    return kept;
}

// Between fork and exec only what is safe there. A group of its own: a Ctrl-C at the terminal comes
// once, from this process.
[[noreturn]] void become(char* const* words, char* const* variables, int input, int output,
                         const sigset_t& signals, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(kInterrupted);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::sigprocmask(SIG_SETMASK, &signals, nullptr);
    ::execve(kOwnProgram, words, variables);
    ::_exit(127);
}

}  // namespace

RunProcesses::RunProcesses() {
    ::sigemptyset(&taken_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) ::sigaddset(&taken_, signal);
    ::pthread_sigmask(SIG_BLOCK, &taken_, &before_);
}

RunProcesses::~RunProcesses() {
    for (const auto& child : children_) ::kill(child.process, SIGTERM);
    while (wait()) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Status RunProcesses::start(std::size_t number, const std::vector<std::string>& words,
                           const std::filesystem::path& log) {
    const int output =
        ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (output < 0)
        return fail(FileError::kUnwritable,
                    log.string() + ": cannot open: " + std::strerror(errno));
    const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    auto all = words;
    all.insert(all.begin(), "esper");
    const auto pointers = pointers_to(all);
    const auto variables = environment_without_keys();
    const auto parent = ::getpid();
    const auto process = ::fork();
    if (process == 0) become(pointers.data(), variables.data(), input, output, before_, parent);
    const int error = errno;
    ::close(input);
    ::close(output);
    if (process < 0)
        return fail(FileError::kUnreadable,
                    std::string("cannot start a process: ") + std::strerror(error));
    children_.push_back({process, number});
    return {};
}

std::optional<RunProcesses::Ended> RunProcesses::take_ended() {
    for (auto it = children_.begin(); it != children_.end(); ++it) {
        int status = 0;
        if (::waitpid(it->process, &status, WNOHANG) != it->process) continue;
        const Ended ended{it->number,
                          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
        children_.erase(it);
        return ended;
    }
    return std::nullopt;
}

std::optional<RunProcesses::Ended> RunProcesses::wait() {
    while (!children_.empty()) {
        if (const auto ended = take_ended()) return ended;
        // A signal that came since is kept until it is waited for.
        const int signal = ::sigwaitinfo(&taken_, nullptr);
        if (signal != SIGINT && signal != SIGTERM) continue;
        stopping_ = true;
        for (const auto& child : children_) ::kill(child.process, signal);
    }
    return std::nullopt;
}

}  // namespace esper::cli
