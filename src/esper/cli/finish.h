#pragma once

#include <filesystem>
#include <vector>

#include "esper/cli/drive.h"
#include "esper/configs/budget.h"
#include "esper/configs/config.h"

namespace esper::cli {

/// Finishes a run at smaller budgets, one after the other: forks it where the cool-down of each
/// begins, trains that to its end, evaluates and exports it into RUN/finish/<budget>. What is
/// finished already is left alone, what was interrupted goes on. Prints a table of the finished
/// networks, or JSON lines. Returns the exit code.
int finish_at(const std::filesystem::path& run, const configs::EsperConfig& trunk,
              std::vector<configs::Budget> budgets, const OutputFlags& output);

/// What comes after a run with a budget has been driven to its end: its run.finish_at.
int finish_named(const std::filesystem::path& run, const configs::EsperConfig& trunk,
                 const OutputFlags& output);

}  // namespace esper::cli
