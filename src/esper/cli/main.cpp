#include <CLI/CLI.hpp>

#include "esper/base/fault_points.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"

namespace {

// CLI11 reports an unknown word without saying which command it might have been.
bool refuse_unknown_command(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return false;
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == argv[1]) return false;
        if (!command->get_group().empty()) names.push_back(command->get_name());
    }
    std::fprintf(stderr, "esper: there is no command %s; there are: %s\n",
                 esper::quote_with_suggestion(argv[1], names).c_str(),
                 esper::join(names, ", ").c_str());
    return true;
}

}  // namespace

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
    esper::cli::add_export(app, exit_code);
    esper::cli::add_inspect(app, exit_code);
    esper::cli::add_replay(app, exit_code);
    esper::cli::add_eval(app, exit_code);
    esper::cli::add_doctor(app, exit_code);
    esper::cli::add_data(app, exit_code);
    esper::cli::add_rollback(app, exit_code);
    esper::cli::add_report(app, exit_code);
    esper::cli::add_soak(app, exit_code);
    esper::cli::add_roles(app, exit_code);
    if (refuse_unknown_command(app, argc, argv)) return 2;
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return exit_code;
}
