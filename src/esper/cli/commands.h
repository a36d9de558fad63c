#pragma once
// cli: the one binary `esper`, one file per sub-command.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace esper::cli {

/// Each adds its sub-command; running it sets `exit_code`.
void add_train(CLI::App& app, int& exit_code);
void add_resume(CLI::App& app, int& exit_code);

}  // namespace esper::cli
