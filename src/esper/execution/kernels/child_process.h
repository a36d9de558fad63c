#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "esper/base/error.h"

namespace esper::execution {

/// What keeps a child from the rest of the machine.
enum class SandboxLevel : int {
    kLimits = 1,  ///< limits of time, memory and file size, a session of its own, no environment
    kJail = 2,    ///< also no files but the named ones (Landlock), no sockets, no tracing (seccomp)
    /// also mounts, processes, users, network, messages and a host name of its own (bubblewrap.h)
    kNamespaces = 3,
};

/// The level of what run_program() starts here, and why it is not a higher one.
struct Sandbox {
    SandboxLevel level = SandboxLevel::kLimits;
    std::string why_not_higher;  ///< "" at the highest
};
/// Tried once in a process, by children: bubblewrap for at most 5 s, in the background for 20 s.
const Sandbox& sandbox();
inline SandboxLevel sandbox_level() { return sandbox().level; }
/// The level of what run_in_copy() starts, at most kJail; bubblewrap is not tried for it.
SandboxLevel copy_sandbox_level();

struct ChildLimits {
    int cpu_seconds = 20;
    int wall_seconds = 60;
    std::int64_t memory_bytes = std::int64_t{1} << 30;  ///< of address space; 0: no limit
    std::int64_t file_bytes = std::int64_t{16} << 20;
};

struct ChildEnd {
    int exit_code = 0;  ///< meaningful if signal is 0
    int signal = 0;
    bool timed_out = false;
    double cpu_seconds = 0;
    std::string output;  ///< what it printed, at most 64 KB
    SandboxLevel sandbox = SandboxLevel::kLimits;
    bool ended_well() const { return signal == 0 && exit_code == 0 && !timed_out; }
    /// "ended with 1", "was ended by signal 11", "took longer than 60 s".
    std::string how() const;
};

/// Runs a program in the folder `directory`, which is all that it may write to, at the level of
/// sandbox(); where bubblewrap worked then and does not now, at level 2. Its environment is PATH,
/// TMPDIR and LC_ALL alone. Below `least` it is not run. Error: kGuardUnavailable if no process can
/// be made, or none at that level.
Result<ChildEnd> run_program(const std::vector<std::string>& command,
                             const std::filesystem::path& directory, const ChildLimits& limits,
                             SandboxLevel least = SandboxLevel::kLimits);

/// Runs `body` in a copy of this process, jailed (level 2: bubblewrap starts programs, no copies);
/// what it returns is the output. The copy has one thread. It may read `directory`. Error:
/// kGuardUnavailable.
Result<ChildEnd> run_in_copy(const std::function<std::string()>& body,
                             const std::filesystem::path& directory, const ChildLimits& limits);

/// A folder of its own for one piece of work, removed at the end.
class WorkFolder {
  public:
    static Result<WorkFolder> make();
    WorkFolder(WorkFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
    WorkFolder& operator=(WorkFolder&&) = delete;
    ~WorkFolder();
    const std::filesystem::path& path() const { return path_; }

  private:
    explicit WorkFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

}  // namespace esper::execution
