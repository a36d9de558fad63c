#pragma once

#include <filesystem>
#include <vector>

namespace esper::tolaria {

/// Physical cores among these processors, by the kernel's lists of which of them share one
/// (`<topology>/cpu<n>/topology/thread_siblings_list`). 0 where that cannot be read.
int physical_cores(const std::vector<int>& processors, const std::filesystem::path& topology);

/// The number of compute threads that `run.threads: 0` stands for: one for each physical core that
/// this process may run on, or one for each processor where cores cannot be told.
int default_threads();

}  // namespace esper::tolaria
