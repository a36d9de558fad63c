#include <CLI/CLI.hpp>

#include "esper/base/fault_points.h"
#include "esper/cli/commands.h"

int main(int argc, char** argv) {
    CLI::App app{"esper: neural networks that grow while they train"};
    app.set_version_flag("--version", "esper 0.1.0");
    app.require_subcommand(1);
    if (auto armed = esper::FaultPoints::arm_from_environment(); !armed) {
        std::fprintf(stderr, "esper: %s\n", armed.error().message().c_str());
        return 2;
    }
    int exit_code = 0;
    esper::cli::add_train(app, exit_code);
    esper::cli::add_resume(app, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return exit_code;
}
