#pragma once

#include <string>
#include <vector>

namespace esper::cli {

/// The page about runs is a program of its own beside this one, esper-nissa, without libtorch.

/// Becomes that program. Returns only where it cannot be started: with exit code 1, after a
/// message.
int become_page(std::vector<std::string> arguments);

/// Starts it beside this process, to end with it; its address goes to standard error, and with
/// `allow_actions` also that of a link which may act on the run. Where it cannot be started a
/// message says so, and nothing else happens.
void start_page(const std::string& folder, bool allow_actions);

}  // namespace esper::cli
