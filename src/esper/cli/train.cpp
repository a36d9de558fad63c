#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/drive.h"
#include "esper/cli/finish.h"
#include "esper/cli/page_process.h"
#include "esper/cli/plan.h"
#include "esper/cli/run_kernels.h"
#include "esper/cli/run_state.h"
#include "esper/cli/screen.h"
#include "esper/cli/signals.h"
#include "esper/cli/training_config.h"
#include "esper/cli/unfinished_folder.h"
#include "esper/configs/load.h"
#include "esper/configs/yaml.h"
#include "esper/services/records/new_run_folder.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
    std::string folder;
    std::string seed;  ///< as it was written; checked as run.seed is
    bool dry_run = false;
    bool watch = false;
    bool allow_actions = false;
    OutputFlags output;
    bool has_empty_word = false;
    bool names_folder = false;
    std::string surplus;  ///< a second word that is no override
};

// The resolved configuration is itself a file that `esper train` takes; the plan stands above it.
int show_plan(const configs::EsperConfig& config, const std::filesystem::path& folder,
              const Arguments& arguments) {
    auto plan = plan_of(config);
    if (!plan) return report_error(plan.error());
    if (const auto fits = records::try_new_run_folder(folder); !fits)
        return report_error(fits.error());
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
    if (arguments.has_empty_word || (arguments.names_folder && arguments.folder.empty())) {
        std::fprintf(stderr, "esper: an empty word names no %s; leave it out to get the default\n",
                     arguments.has_empty_word ? "configuration" : "folder (--run '')");
        return 2;
    }
    configs::LoadOptions options;
    options.path = arguments.config;
    options.overrides = arguments.overrides;
    if (!arguments.seed.empty()) options.overrides.push_back("run.seed=" + arguments.seed);
    options.env = configs::process_environment();
    auto config = load_training_config(arguments.config, options, arguments.output);
    if (!config) return report_error(config.error());
    for (const auto& warning : config->warnings)
        std::fprintf(stderr, "esper: %s\n", warning.c_str());
    const std::filesystem::path folder =
        arguments.folder.empty() ? records::RunFolder::next_free("runs", config->config.run.name)
                                 : std::filesystem::path(arguments.folder);
    if (arguments.dry_run) return show_plan(config->config, folder, arguments);
    if (config->config.checkpoint.on_signal) take_stop_signals();
    UnfinishedFolder unfinished(folder);
    auto trainer = tolaria::Trainer::create(config->config, folder, system_clock(),
                                            kernels_for(config->config));
    if (!trainer) {
        const int exit_code = report_error(trainer.error());
        if (unfinished.was_made())
            std::fprintf(stderr, "esper: nothing was begun; %s was taken away again\n",
                         folder.c_str());
        return exit_code;
    }
    unfinished.keep();
    if (arguments.watch) start_page(folder, arguments.allow_actions);
    if (const int code = drive(**trainer, folder, arguments.output); code != 0) return code;
    const auto resolved = (*trainer)->config();
    trainer->reset();
    return finish_named(folder, resolved, arguments.output);
}

void take_words(Arguments& a, const std::vector<std::string>& words) {
    for (const auto& word : words) {
        if (word.empty())
            a.has_empty_word = true;
        else if (word.find('=') != std::string::npos)
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
    command->add_flag("-q,--quiet", flags.quiet,
                      "print errors, and at the end one line with the run's folder and result");
}

void add_train(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("train", "train, and grow, a network");
    command
        ->add_option_function<std::vector<std::string>>(
            "config", [a](const std::vector<std::string>& words) { take_words(*a, words); },
            "a YAML file (none: a small character GPT; -: standard input), or data to learn from "
            "(see 'esper data info PATH'), then key=value overrides")
        ->expected(-1);
    command->add_option_function<std::string>(
        "--run",
        [a](const std::string& folder) {
            a->folder = folder;
            a->names_folder = true;
        },
        "the run's folder (default runs/<name>-<n>)");
    command->add_option("--seed", a->seed, "run.seed");
    command->add_flag("--dry-run", a->dry_run,
                      "check everything and print the plan; train nothing");
    auto* watch = command->add_flag(
        "--watch", a->watch, "show the run in the browser while it trains (see 'esper watch')");
    command
        ->add_flag("--allow-actions", a->allow_actions,
                   "with --watch: also print a link that may pause growth, save, go back and stop")
        ->needs(watch);
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] { exit_code = train(*a); });
}

}  // namespace esper::cli
