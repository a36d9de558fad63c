#include <CLI/CLI.hpp>
#include <memory>

#include "esper/cli/commands.h"
#include "esper/cli/drive.h"
#include "esper/cli/finish.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_kernels.h"
#include "esper/cli/run_state.h"
#include "esper/cli/signals.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string folder;
    std::vector<std::string> overrides;
    OutputFlags output;
};

int resume(const Arguments& arguments) {
    const std::filesystem::path folder(arguments.folder);
    auto config = load_run_config(folder, arguments.overrides);
    if (!config) return report_error(config.error());
    if (config->checkpoint.on_signal) take_stop_signals();
    auto trainer = tolaria::Trainer::resume(*config, folder, system_clock(), kernels_for(*config));
    if (!trainer) return report_error(trainer.error());
    if (const int code = drive(**trainer, folder, arguments.output); code != 0) return code;
    const auto resolved = (*trainer)->config();
    trainer->reset();
    return finish_named(folder, resolved, arguments.output);
}

}  // namespace

void add_resume(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("resume", "continue a run exactly");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("overrides", a->overrides, "key=value");
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] { exit_code = resume(*a); });
}

}  // namespace esper::cli
