#pragma once

#include <string>

#include "esper/services/supply/kernel_orders.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace esper::cli {

/// Flags of `esper forge --worker`.
struct WorkerFlags {
    std::string name;  ///< "": the machine's name and the process's number
    int lease_seconds = 60;
    bool until_empty = false;
};
void add_worker_options(CLI::App& command, CLI::Option& worker, WorkerFlags& flags);

/// Works until Ctrl-C or SIGTERM. The exit code.
int run_worker(const WorkerFlags& flags, const std::string& library,
               const supply::ForgeWishes& wishes);

}  // namespace esper::cli
