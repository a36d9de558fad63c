#pragma once

#include <functional>

namespace esper::cli {

/// Runs a command to its exit code. What it throws becomes one line on standard error and 1, or 3
/// where a file's content was not of the form that was expected.
int guarded(const std::function<int()>& command);

/// The same exit code, unless something that was printed on standard output did not arrive there:
/// then one line on standard error and 1.
int checked_output(int exit_code);

}  // namespace esper::cli
