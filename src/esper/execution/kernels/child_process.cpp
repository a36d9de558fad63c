#include "esper/execution/kernels/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "esper/execution/kernels/bubblewrap.h"
#include "esper/execution/kernels/child_jail.h"
#include "esper/execution/kernels/image_process.h"
#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

namespace {

constexpr std::size_t kMostOutput = 64 << 10;

ChildBounds bounds_of(const ChildLimits& limits) {
    return {limits.cpu_seconds, limits.memory_bytes, limits.file_bytes};
}

tl::unexpected<Error> unavailable(std::string_view what, int error_number) {
    return fail(KernelError::kGuardUnavailable,
                fmt::format("{}: {}", what, std::strerror(error_number)));
}

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Reads what the child prints until it closes the pipe, and waits for its end.
ChildEnd follow(pid_t child, int from, const ChildLimits& limits) {
    using Clock = std::chrono::steady_clock;
    ChildEnd end;
    const auto deadline = Clock::now() + std::chrono::seconds(limits.wall_seconds);
    std::array<char, 4096> buffer{};
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd wait{from, POLLIN, 0};
        const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            end.timed_out = true;
            break;
        }
        const auto got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        const auto room = kMostOutput - std::min(kMostOutput, end.output.size());
        end.output.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
    }
    ::close(from);
    if (end.timed_out) ::kill(-child, SIGKILL);
    if (end.timed_out) ::kill(child, SIGKILL);
    int status = 0;
    rusage usage{};
    while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    end.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    return end;
}

Result<ChildEnd> start(const std::function<void(int)>& inside, const ChildLimits& limits) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return unavailable("no pipe can be made", errno);
    // --- Between fork and exec only what is allowed there: system calls.
    const pid_t child = ::fork();
    if (child < 0) {
        const int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        return unavailable("no process can be made", error);
    }
    if (child == 0) {
        inside(ends[1]);
        ::_exit(127);
    }
    ::close(ends[1]);
    return follow(child, ends[0], limits);
}

// In the background of a busy machine a start that costs 10 ms of processor time takes seconds.
constexpr int kBubblewrapSeconds = 5;
constexpr int kBubblewrapSecondsInBackground = 20;

bool can_jail() {
    const auto end = start(
        [](int) {
            ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            ::_exit(enter_jail("/tmp") ? 0 : 1);
        },
        {});
    return end && end->ended_well();
}

Sandbox look_for_sandbox() {
    if (copy_sandbox_level() < SandboxLevel::kJail)
        return {SandboxLevel::kLimits, "this system has no Landlock or no seccomp"};
    const auto bubblewrap = find_bubblewrap();
    if (bubblewrap.empty())
        return {SandboxLevel::kJail, "there is no bwrap in PATH (Debian: apt install bubblewrap)"};
    const auto works = try_bubblewrap(
        bubblewrap, is_background() ? kBubblewrapSecondsInBackground : kBubblewrapSeconds);
    if (!works) return {SandboxLevel::kJail, "bubblewrap fails: " + works.error().message()};
    return {SandboxLevel::kNamespaces, ""};
}

/// The same file under a number that no child gives to another.
int out_of_the_way(int file) { return ::fcntl(file, F_DUPFD_CLOEXEC, 10); }

}  // namespace

std::string ChildEnd::how() const {
    if (timed_out) return "took too long";
    if (signal != 0) return fmt::format("was ended by signal {}", signal);
    return fmt::format("ended with {}", exit_code);
}

SandboxLevel copy_sandbox_level() {
    static const auto level = can_jail() ? SandboxLevel::kJail : SandboxLevel::kLimits;
    return level;
}

const Sandbox& sandbox() {
    static const Sandbox found = look_for_sandbox();
    return found;
}

Result<ChildEnd> run_restricted(const std::vector<std::string>& command,
                                const std::filesystem::path& directory, const ChildLimits& limits,
                                bool jailed, int inherited) {
    const std::string folder = directory.string();
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
    std::string temporary = "TMPDIR=" + folder;
    std::string language = "LC_ALL=C";
    std::array<char*, 4> environment{path.data(), temporary.data(), language.data(), nullptr};
    ESPER_TRY(auto end, start(
                            [&](int to) {
                                ::dup2(to, 1);
                                ::dup2(to, 2);
                                const int nothing = ::open("/dev/null", O_RDONLY);
                                if (nothing >= 0) ::dup2(nothing, 0);
                                if (inherited >= 0) ::fcntl(inherited, F_SETFD, 0);
                                restrict_child(folder.c_str(), bounds_of(limits), jailed);
                                ::execve(arguments[0], arguments.data(), environment.data());
                            },
                            limits));
    end.sandbox = jailed ? SandboxLevel::kJail : SandboxLevel::kLimits;
    return end;
}

Result<ChildEnd> run_program(const std::vector<std::string>& command,
                             const std::filesystem::path& directory, const ChildLimits& limits,
                             SandboxLevel least) {
    const auto& here = sandbox();
    auto why = here.why_not_higher;
    if (here.level == SandboxLevel::kNamespaces) {
        auto end = run_in_bubblewrap(find_bubblewrap(), command, directory, limits);
        if (end) return end;
        why = end.error().message();
    }
    const auto level = copy_sandbox_level();
    if (level < least)
        return fail(KernelError::kGuardUnavailable,
                    fmt::format("sandbox level {} is required, and {} can be had: {}",
                                static_cast<int>(least), static_cast<int>(level), why));
    return run_restricted(command, directory, limits, level == SandboxLevel::kJail, -1);
}

Result<ChildEnd> run_in_copy(const std::function<std::string()>& body,
                             const std::filesystem::path& directory, const ChildLimits& limits) {
    const auto level = copy_sandbox_level();
    const std::string folder = directory.string();
    ESPER_TRY(auto end, start(
                            [&](int to) {
                                restrict_child(folder.c_str(), bounds_of(limits),
                                               level == SandboxLevel::kJail);
                                const auto said = body();
                                std::size_t written = 0;
                                while (written < said.size()) {
                                    const auto n =
                                        ::write(to, said.data() + written, said.size() - written);
                                    if (n <= 0) ::_exit(124);
                                    written += static_cast<std::size_t>(n);
                                }
                                ::_exit(0);
                            },
                            limits));
    end.sandbox = level;
    return end;
}

Result<ChildEnd> run_image(int image, const std::vector<std::string>& words,
                           const std::vector<int>& files, const ChildLimits& limits) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return unavailable("no pipe can be made", errno);
    std::vector<int> given{out_of_the_way(ends[1]), out_of_the_way(image)};
    for (const int file : files) given.push_back(out_of_the_way(file));
    ::close(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, given[0], 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    for (std::size_t i = 2; i < given.size(); ++i)
        posix_spawn_file_actions_adddup2(&actions, given[i], static_cast<int>(i) + 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    ::sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    ::sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};
    pid_t child = 0;
    const bool complete = std::ranges::find(given, -1) == given.end();
    const int error = !complete
                          ? EMFILE
                          : ::posix_spawn(&child, fmt::format("/proc/self/fd/{}", given[1]).c_str(),
                                          &actions, &attributes, arguments.data(), environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    for (const int file : given)
        if (file >= 0) ::close(file);
    if (error == 0) return follow(child, ends[0], limits);
    ::close(ends[0]);
    return unavailable("no process can be made", error);
}

Result<WorkFolder> WorkFolder::make() {
    std::error_code problem;
    const auto base = std::filesystem::temp_directory_path(problem);
    std::string name =
        ((problem ? std::filesystem::path("/tmp") : base) / "esper-forge-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        return unavailable(fmt::format("no folder can be made at {}", name), errno);
    return WorkFolder(name);
}

WorkFolder::~WorkFolder() {
    if (path_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace esper::execution
