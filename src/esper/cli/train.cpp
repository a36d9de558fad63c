#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/drive.h"
#include "esper/cli/plan.h"
#include "esper/cli/run_state.h"
#include "esper/cli/screen.h"
#include "esper/configs/load.h"
#include "esper/configs/yaml.h"
#include "esper_embedded.h"  // made by CMake

namespace esper::cli {

namespace {

struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
    std::string folder;
    std::optional<std::uint64_t> seed;
    bool dry_run = false;
    OutputFlags output;
    std::string surplus;  ///< a second word that is no override
};

// The resolved configuration is itself a file that `esper train` takes; the plan stands above it.
int show_plan(const configs::EsperConfig& config, const Arguments& arguments) {
    auto plan = plan_of(config);
    if (!plan) return report_error(plan.error());
    if (arguments.output.json) {
        (*plan)["event"] = "plan";
        print_json_line(*plan);
    } else if (!arguments.output.quiet) {
        std::printf("%s\n%s", plan_in_words(*plan).c_str(), configs::to_yaml(config).c_str());
    }
    return 0;
}

int train(const Arguments& arguments) {
    if (!arguments.surplus.empty()) {
        std::fprintf(stderr,
                     "esper: expected one configuration file and key=value overrides, but '%s' is "
                     "neither an override nor the first file ('%s')\n",
                     arguments.surplus.c_str(), arguments.config.c_str());
        return 2;
    }
    configs::LoadOptions options;
    options.path = arguments.config;
    options.overrides = arguments.overrides;
    if (arguments.seed) options.overrides.push_back("run.seed=" + std::to_string(*arguments.seed));
    options.env = configs::process_environment();
    auto config = arguments.config.empty()
                      ? configs::parse_config(kShakespeare, "the built-in run", options)
                      : configs::load_config_with_origins(options);
    if (!config) return report_error(config.error());
    for (const auto& warning : config->warnings)
        std::fprintf(stderr, "esper: %s\n", warning.c_str());
    if (arguments.dry_run) return show_plan(config->config, arguments);
    const std::filesystem::path folder =
        arguments.folder.empty() ? records::RunFolder::next_free("runs", config->config.run.name)
                                 : std::filesystem::path(arguments.folder);
    ignore_rollback_requests();
    auto trainer = tolaria::Trainer::create(config->config, folder);
    if (!trainer) return report_error(trainer.error());
    return drive(**trainer, folder, arguments.output);
}

void take_words(Arguments& a, const std::vector<std::string>& words) {
    for (const auto& word : words) {
        if (word.find('=') != std::string::npos)
            a.overrides.push_back(word);
        else if (a.config.empty())
            a.config = word;
        else if (a.surplus.empty())
            a.surplus = word;
    }
}

}  // namespace

void add_output_flags(CLI::App* command, OutputFlags& flags) {
    command->add_flag("--json", flags.json, "standard output is JSON lines only");
    command->add_flag("-q,--quiet", flags.quiet, "print nothing but errors");
}

void add_train(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("train", "train, and grow, a network");
    command
        ->add_option_function<std::vector<std::string>>(
            "config", [a](const std::vector<std::string>& words) { take_words(*a, words); },
            "a YAML file (none: a small character GPT), then key=value overrides")
        ->expected(-1);
    command->add_option("--run", a->folder, "the run's folder (default runs/<name>-<n>)");
    command->add_option("--seed", a->seed, "run.seed");
    command->add_flag("--dry-run", a->dry_run,
                      "check everything and print the plan; train nothing");
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] { exit_code = train(*a); });
}

}  // namespace esper::cli
