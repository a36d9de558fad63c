#pragma once

#include <string>
#include <vector>

#include "esper/execution/kernels/child_process.h"

namespace esper::execution {

/// Runs the program that lies in the open file `image`, with nothing of this process but `files`,
/// which are 3, 4, … there; it prints to what is read here. It restricts itself (child_jail.h).
/// Nothing of this process is copied, so that the time does not grow with its memory. Error:
/// kGuardUnavailable.
Result<ChildEnd> run_image(int image, const std::vector<std::string>& words,
                           const std::vector<int>& files, const ChildLimits& limits);

/// Runs a program as run_program() does, `jailed` (level 2) or within its limits alone. It has the
/// open file `inherited` (-1: none) under the number that it has here. Error: kGuardUnavailable.
Result<ChildEnd> run_restricted(const std::vector<std::string>& command,
                                const std::filesystem::path& directory, const ChildLimits& limits,
                                bool jailed, int inherited);

}  // namespace esper::execution
