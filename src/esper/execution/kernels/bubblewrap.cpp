#include "esper/execution/kernels/bubblewrap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "esper/base/descriptor.h"
#include "esper/base/first_line.h"
#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/execution/kernels/guard/guarded_call.h"
#include "esper/execution/kernels/guard_image.h"
#include "esper/execution/kernels/image_process.h"
#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFirstProgram = "/esper-first";
constexpr int kMostSignal = 64;
constexpr std::size_t kLongestSaid = 200;

/// Where compilers and the libraries of the C++ run time lie.
constexpr const char* kReadable[] = {"/usr/bin",
                                     "/usr/lib",
                                     "/usr/lib32",
                                     "/usr/lib64",
                                     "/usr/libexec",
                                     "/usr/include",
                                     "/usr/local/bin",
                                     "/usr/local/lib",
                                     "/usr/local/lib64",
                                     "/usr/local/libexec",
                                     "/usr/local/include",
                                     "/bin",
                                     "/lib",
                                     "/lib64",
                                     "/etc/ld.so.cache",
                                     "/etc/alternatives"};

// A session of its own the child has before bubblewrap starts (restrict_child). One more, by
// --new-session, would lose the priority that was given to the first.
std::vector<std::string> words_of(const fs::path& program, const std::vector<std::string>& command,
                                  const std::string& directory, int image) {
    std::vector<std::string> words{program.string(),    "--unshare-user",
                                   "--unshare-pid",     "--unshare-net",
                                   "--unshare-ipc",     "--unshare-uts",
                                   "--die-with-parent",
                                   "--as-pid-1",  // whose processor time bubblewrap waits for
                                   "--cap-drop",        "ALL",
                                   "--perms",           "0555",
                                   "--ro-bind-data",    std::to_string(image),
                                   kFirstProgram,       "--dev-bind",
                                   "/dev/null",         "/dev/null"};
    for (const char* path : kReadable) {
        std::error_code none;
        const auto target = fs::read_symlink(path, none);
        if (none)
            words.insert(words.end(), {"--ro-bind-try", path, path});
        else
            words.insert(words.end(), {"--symlink", target.string(), path});
    }
    words.insert(words.end(), {"--bind", directory, directory, "--remount-ro", "/", "--chdir",
                               directory, "--", kFirstProgram, kRun, directory});
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

}  // namespace

fs::path find_bubblewrap() {
    const char* path = std::getenv("PATH");
    for (const auto& folder : split(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path, ':')) {
        auto program = fs::path(folder) / "bwrap";
        if (program.is_absolute() && ::access(program.c_str(), X_OK) == 0) return program;
    }
    return {};
}

Result<ChildEnd> run_in_bubblewrap(const fs::path& program, const std::vector<std::string>& command,
                                   const fs::path& directory, const ChildLimits& limits) {
    // Opened anew: bubblewrap reads from where the file stands, and several may start at once.
    const Descriptor image(
        ::open(fmt::format("/proc/self/fd/{}", guard_image()).c_str(), O_RDONLY | O_CLOEXEC));
    if (image.get() < 0)
        return fail(
            KernelError::kGuardUnavailable,
            fmt::format("no memory for the first process of bubblewrap: {}", std::strerror(errno)));
    const auto words = words_of(program, command, directory.string(), image.get());
    ESPER_TRY(auto end, run_restricted(words, directory, limits, false, image.get()));
    if (end.output.empty() || end.output.front() != kReady) {
        const auto said = printable(first_line(end.output), kLongestSaid);
        return fail(KernelError::kGuardUnavailable,
                    fmt::format("{} {}{}", program.string(), end.how(),
                                said.empty() ? "" : " and said: " + said));
    }
    end.output.erase(0, 1);
    if (end.exit_code > kSignalled && end.exit_code <= kSignalled + kMostSignal)
        end.signal = end.exit_code - kSignalled;
    end.sandbox = SandboxLevel::kNamespaces;
    return end;
}

Status try_bubblewrap(const fs::path& program, int wall_seconds) {
    ESPER_TRY(const auto folder, WorkFolder::make());
    ESPER_TRY(const auto end, run_in_bubblewrap(program, {"/usr/bin/true"}, folder.path(),
                                                {.wall_seconds = wall_seconds}));
    if (end.ended_well()) return {};
    return fail(KernelError::kGuardUnavailable,
                fmt::format("{}: the program true {}", program.string(), end.how()));
}

}  // namespace esper::execution
