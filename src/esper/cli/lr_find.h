#pragma once

namespace CLI {
class App;
}

namespace esper::cli {

/// Adds `esper lr-find`, which sets `exit_code` when it runs.
void add_lr_find(CLI::App& app, int& exit_code);

}  // namespace esper::cli
