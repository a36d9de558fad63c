#pragma once

#include <CLI/CLI.hpp>

namespace esper::cli {

/// `trace` and `export`: what other programs read of a run.
void add_nissa_exports(CLI::App* nissa, int& exit_code);

}  // namespace esper::cli
