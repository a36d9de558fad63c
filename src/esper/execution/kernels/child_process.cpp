#include "esper/execution/kernels/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

namespace {

constexpr std::size_t kMostOutput = 64 << 10;
// Landlock's first version: thirteen kinds of access to files.
constexpr std::uint64_t kAllAccess = (std::uint64_t{1} << 13) - 1;
constexpr std::uint64_t kReadAccess =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

// --- From here to start() only what is allowed between fork and exec: system calls.

bool allow(int rules, const char* path, std::uint64_t access) {
    const int folder = ::open(path, O_PATH | O_CLOEXEC);
    if (folder < 0) return errno == ENOENT;
    landlock_path_beneath_attr attribute{};
    attribute.allowed_access = access;
    attribute.parent_fd = folder;
    const auto done =
        ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &attribute, 0);
    ::close(folder);
    return done == 0;
}

bool enter_jail(const char* directory) {
    landlock_ruleset_attr attribute{};
    attribute.handled_access_fs = kAllAccess;
    const auto rules =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attribute, sizeof attribute, 0));
    if (rules < 0) return false;
    constexpr std::uint64_t kFile = LANDLOCK_ACCESS_FS_READ_FILE;
    bool ok = allow(rules, directory, kAllAccess);
    for (const auto* path : {"/usr", "/lib", "/lib64"}) ok = allow(rules, path, kReadAccess) && ok;
    ok = allow(rules, "/etc/ld.so.cache", kFile) && ok;
    ok = allow(rules, "/dev/null", kFile | LANDLOCK_ACCESS_FS_WRITE_FILE) && ok;
    ok = ok && ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    ::close(rules);
    if (!ok) return false;
#define ESPER_DENY(call)                                   \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        ESPER_DENY(socket),
        ESPER_DENY(socketpair),
        ESPER_DENY(connect),
        ESPER_DENY(ptrace),
        ESPER_DENY(mount),
        ESPER_DENY(bpf),
        ESPER_DENY(io_uring_setup),
        ESPER_DENY(userfaultfd),
        ESPER_DENY(keyctl),
        ESPER_DENY(unshare),
        ESPER_DENY(process_vm_readv),
        ESPER_DENY(process_vm_writev),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
#undef ESPER_DENY
    sock_fprog program{sizeof filter / sizeof *filter, filter};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void limit(int what, std::int64_t most) {
    if (most <= 0) return;
    const rlimit both{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
    ::setrlimit(static_cast<__rlimit_resource>(what), &both);
}

// Linux divides the processors among sessions before it looks at nice values (sched_autogroup), and
// a new session counts as much as any other, whatever its process's nice value is.
void keep_priority_in_a_new_session() {
    const int nice = ::getpriority(PRIO_PROCESS, 0);
    if (nice <= 0) return;
    const int file = ::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;  // this kernel has no such groups
    const char digits[2] = {static_cast<char>('0' + nice / 10), static_cast<char>('0' + nice % 10)};
    // A kernel that refuses leaves the child as it is.
    static_cast<void>(!::write(file, digits, sizeof digits));
    ::close(file);
}

void restrict_child(const char* directory, const ChildLimits& limits, bool jailed) {
    ::setsid();
    keep_priority_in_a_new_session();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CPU, limits.cpu_seconds);
    limit(RLIMIT_AS, limits.memory_bytes);
    limit(RLIMIT_FSIZE, limits.file_bytes);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(SIGINT, SIG_IGN);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::chdir(directory) != 0) ::_exit(126);
    if (jailed && !enter_jail(directory)) ::_exit(125);
}

// --- The parent's side.

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
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(KernelError::kGuardUnavailable,
                    std::string("no pipe can be made: ") + std::strerror(errno));
    const pid_t child = ::fork();
    if (child < 0) {
        const std::string why = std::strerror(errno);
        ::close(ends[0]);
        ::close(ends[1]);
        return fail(KernelError::kGuardUnavailable, "no process can be made: " + why);
    }
    if (child == 0) {
        inside(ends[1]);
        ::_exit(127);
    }
    ::close(ends[1]);
    return follow(child, ends[0], limits);
}

SandboxLevel try_jail() {
    const auto end = start(
        [](int) {
            ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            ::_exit(enter_jail("/tmp") ? 0 : 1);
        },
        {});
    return end && end->ended_well() ? SandboxLevel::kJail : SandboxLevel::kLimits;
}

}  // namespace

std::string ChildEnd::how() const {
    if (timed_out) return "took too long";
    if (signal != 0) return fmt::format("was ended by signal {}", signal);
    return fmt::format("ended with {}", exit_code);
}

SandboxLevel sandbox_level() {
    static const SandboxLevel level = try_jail();
    return level;
}

Result<ChildEnd> run_program(const std::vector<std::string>& command,
                             const std::filesystem::path& directory, const ChildLimits& limits) {
    const bool jailed = sandbox_level() == SandboxLevel::kJail;
    const std::string folder = directory.string();
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
    std::string temporary = "TMPDIR=" + folder;
    std::string language = "LC_ALL=C";
    std::array<char*, 4> environment{path.data(), temporary.data(), language.data(), nullptr};
    return start(
        [&](int to) {
            ::dup2(to, 1);
            ::dup2(to, 2);
            const int nothing = ::open("/dev/null", O_RDONLY);
            if (nothing >= 0) ::dup2(nothing, 0);
            restrict_child(folder.c_str(), limits, jailed);
            ::execve(arguments[0], arguments.data(), environment.data());
        },
        limits);
}

Result<ChildEnd> run_in_copy(const std::function<std::string()>& body,
                             const std::filesystem::path& directory, const ChildLimits& limits) {
    const bool jailed = sandbox_level() == SandboxLevel::kJail;
    const std::string folder = directory.string();
    return start(
        [&](int to) {
            restrict_child(folder.c_str(), limits, jailed);
            const auto said = body();
            std::size_t written = 0;
            while (written < said.size()) {
                const auto n = ::write(to, said.data() + written, said.size() - written);
                if (n <= 0) ::_exit(124);
                written += static_cast<std::size_t>(n);
            }
            ::_exit(0);
        },
        limits);
}

Result<WorkFolder> WorkFolder::make() {
    std::error_code problem;
    const auto base = std::filesystem::temp_directory_path(problem);
    std::string name =
        ((problem ? std::filesystem::path("/tmp") : base) / "esper-forge-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        return fail(KernelError::kGuardUnavailable,
                    fmt::format("no folder can be made at {}: {}", name, std::strerror(errno)));
    return WorkFolder(name);
}

WorkFolder::~WorkFolder() {
    if (path_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace esper::execution
