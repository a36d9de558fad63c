#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/execution/kernels/child_process.h"

namespace esper::execution {

// bubblewrap (https://github.com/containers/bubblewrap) gives a program mounts, processes, users,
// network, messages and a host name of its own. There the program sees the compilers' folders,
// which nobody can write, and its work folder; there is no /proc, and no device but /dev/null.

/// `bwrap` in the absolute folders of PATH; in /usr/local/bin, /usr/bin and /bin where PATH is not
/// set. Empty where there is none.
std::filesystem::path find_bubblewrap();

/// Runs `command` in the bubblewrap `program` and there in the jail of level 2, as run_program()
/// does. Errors: kGuardUnavailable where bubblewrap did not get as far as the command, with the
/// first line of what it said.
Result<ChildEnd> run_in_bubblewrap(const std::filesystem::path& program,
                                   const std::vector<std::string>& command,
                                   const std::filesystem::path& directory,
                                   const ChildLimits& limits);

/// Whether `true` can be run so, within `wall_seconds`.
Status try_bubblewrap(const std::filesystem::path& program, int wall_seconds);

}  // namespace esper::execution
