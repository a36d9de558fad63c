#include <CLI/CLI.hpp>
#include <cstdio>

#include "esper/cli/commands.h"

namespace esper::cli {

namespace {

struct Role {
    const char* name;
    const char* what;
};

constexpr Role kRoles[] = {
    {"tezzeret", "the compiler of kernels"},
    {"urabrask", "the evaluator of kernels"},
    {"tamiyo", "the controller"},
    {"tolaria", "the trainer"},
};

}  // namespace

// These commands are known and refuse with a reason. The help does not list them until they work.
void add_roles(CLI::App& app, int& exit_code) {
    for (const auto& role : kRoles) {
        auto* command = app.add_subcommand(role.name, role.what)->group("");
        command->require_subcommand(1);
        command->add_subcommand("serve", "run as a process of its own")
            ->callback([&exit_code, role] {
                std::fprintf(stderr,
                             "esper: '%s serve' (%s as a process of its own) is not built yet; "
                             "'esper train' runs what a run needs in one process\n",
                             role.name, role.what);
                exit_code = 1;
            });
    }
}

}  // namespace esper::cli
