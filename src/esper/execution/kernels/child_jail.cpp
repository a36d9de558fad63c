#include "esper/execution/kernels/child_jail.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <initializer_list>

namespace esper::execution {

namespace {

// Landlock's first version: thirteen kinds of access to files.
constexpr std::uint64_t kAllAccess = (std::uint64_t{1} << 13) - 1;
constexpr std::uint64_t kReadAccess =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

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

void limit(int what, std::int64_t most) {
    if (most <= 0) return;
    const rlimit both{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
    ::setrlimit(static_cast<__rlimit_resource>(what), &both);
}

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

// Linux divides the processors among sessions before it looks at priorities (sched_autogroup): in a
// session of its own a child counts as much as the run that it works for. Such a group has a nice
// value, but cannot be one that runs only where nothing else does. So a background process's child
// stays in its session and loses the streams that could be a terminal instead.
void leave_the_terminal() {
    if (!is_background()) {
        ::setsid();
        keep_priority_in_a_new_session();
        return;
    }
    ::setpgid(0, 0);
    for (int stream = 0; stream < 3; ++stream) {
        if (::isatty(stream) == 0) continue;
        const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (nothing < 0) ::_exit(126);
        ::dup2(nothing, stream);
        if (nothing != stream) ::close(nothing);
    }
}

}  // namespace

bool is_background() { return ::sched_getscheduler(0) == SCHED_IDLE; }

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

void restrict_child(const char* directory, const ChildBounds& bounds, bool jailed) {
    leave_the_terminal();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CPU, bounds.cpu_seconds);
    limit(RLIMIT_AS, bounds.memory_bytes);
    limit(RLIMIT_FSIZE, bounds.file_bytes);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(SIGINT, SIG_IGN);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::chdir(directory) != 0) ::_exit(126);
    if (jailed && !enter_jail(directory)) ::_exit(125);
}

}  // namespace esper::execution
