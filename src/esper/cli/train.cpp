#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/configs/load.h"
#include "esper/configs/yaml.h"
#include "esper/services/tolaria/trainer.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
    std::string folder;
    long long seed = -1;
    bool dry_run = false;
    bool json = false;
    bool quiet = false;
};

tolaria::Trainer* running = nullptr;
void on_signal(int) {
    if (running != nullptr) running->request_stop();
}

int report(const Error& error) {
    std::fprintf(stderr, "esper: %s\n", error.message().c_str());
    return error.exit_code();
}

class Screen {
  public:
    explicit Screen(const Arguments& arguments)
        : json_(arguments.json), quiet_(arguments.quiet), bar_(isatty(2) == 1) {
        if (std::getenv("CI") != nullptr) bar_ = false;
    }
    void show(const tolaria::Progress& p) {
        if (json_ && p.validation_loss) {
            nlohmann::json line{{"event", "epoch"},
                                {"epoch", p.epoch},
                                {"step", p.step},
                                {"train_loss", p.train_loss},
                                {"val_loss", *p.validation_loss},
                                {"val_accuracy", *p.validation_accuracy}};
            std::printf("%s\n", line.dump().c_str());
            std::fflush(stdout);
        }
        if (quiet_) return;
        if (p.validation_loss) {
            std::fprintf(stderr,
                         "%sepoch %3lld  step %6lld/%lld  train loss %.4f  val loss %.4f  val "
                         "accuracy %.2f %%\n",
                         bar_ ? "\r\033[K" : "", static_cast<long long>(p.epoch),
                         static_cast<long long>(p.step), static_cast<long long>(p.total_steps),
                         p.train_loss, *p.validation_loss, *p.validation_accuracy * 100);
        } else if (bar_) {
            const double left = p.examples_per_second > 0 ? 0 : 0;
            (void)left;
            std::fprintf(stderr, "\r\033[K%5.1f %%  loss %.4f  %s examples/s",
                         100.0 * static_cast<double>(p.step) / static_cast<double>(p.total_steps),
                         p.train_loss, human_count(p.examples_per_second).c_str());
        }
    }

  private:
    bool json_;
    bool quiet_;
    bool bar_;
};

int drive(tolaria::Trainer& trainer, const Arguments& arguments, const std::string& folder) {
    Screen screen(arguments);
    trainer.on_progress([&](const tolaria::Progress& p) { screen.show(p); });
    running = &trainer;
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    auto status = trainer.run();
    running = nullptr;
    if (!status) return report(status.error());
    if (!arguments.quiet)
        std::fprintf(stderr, "%s: %s\n", std::string(tolaria::to_text(*status)).c_str(),
                     folder.c_str());
    return *status == tolaria::RunStatus::kStopped ? 130 : 0;
}

void print_sample(tolaria::Trainer& trainer, const char* when) {
    if (!trainer.data().tokens) return;
    auto text = tolaria::sample_text(trainer.engine(), trainer.program(), trainer.store(),
                                     trainer.data(), "\n", 200, 1);
    if (text) std::fprintf(stderr, "--- text sampled %s ---%s\n", when, text->c_str());
}

int train(const Arguments& arguments) {
    configs::LoadOptions options;
    options.path = arguments.config;
    options.overrides = arguments.overrides;
    if (arguments.seed >= 0)
        options.overrides.push_back("run.seed=" + std::to_string(arguments.seed));
    options.env = configs::process_environment();
    auto config = configs::load_config(options);
    if (!config) return report(config.error());
    if (arguments.dry_run) {
        auto data = tolaria::open_data(*config);
        if (!data) return report(data.error());
        auto host = tolaria::make_host(*config, (*data)->info());
        if (!host) return report(host.error());
        std::fprintf(stderr, "%s", configs::to_yaml(*config).c_str());
        return 0;
    }
    const std::filesystem::path folder =
        arguments.folder.empty() ? tolaria::RunFolder::next_free("runs", config->run.name)
                                 : std::filesystem::path(arguments.folder);
    auto trainer = tolaria::Trainer::create(*config, folder);
    if (!trainer) return report(trainer.error());
    const auto code = drive(**trainer, arguments, folder.string());
    if (code == 0 && !arguments.quiet) print_sample(**trainer, "at the end");
    return code;
}

int resume(const Arguments& arguments) {
    configs::LoadOptions options;
    options.path = std::filesystem::path(arguments.folder) / "config.yaml";
    options.overrides = arguments.overrides;
    if (!std::filesystem::exists(options.path)) {
        std::fprintf(stderr, "esper: %s is not a run's folder (it has no config.yaml)\n",
                     arguments.folder.c_str());
        return 2;
    }
    auto config = configs::load_config(options);
    if (!config) return report(config.error());
    auto trainer = tolaria::Trainer::resume(*config, arguments.folder);
    if (!trainer) return report(trainer.error());
    return drive(**trainer, arguments, arguments.folder);
}

void add_output_flags(CLI::App* command, Arguments& a) {
    command->add_flag("--json", a.json, "standard output is JSON lines only");
    command->add_flag("-q,--quiet", a.quiet, "no progress");
}

}  // namespace

void add_train(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("train", "train, and grow, a network");
    auto* words = command->add_option_function<std::vector<std::string>>(
        "config",
        [a](const std::vector<std::string>& all) {
            for (const auto& word : all) {
                if (word.find('=') == std::string::npos)
                    a->config = word;
                else
                    a->overrides.push_back(word);
            }
        },
        "a YAML file, then key=value overrides");
    words->expected(-1);
    command->add_option("--run", a->folder, "the run's folder (default runs/<name>-<n>)");
    command->add_option("--seed", a->seed, "run.seed");
    command->add_flag("--dry-run", a->dry_run, "check everything, train nothing");
    add_output_flags(command, *a);
    command->callback([a, &exit_code] { exit_code = train(*a); });
}

void add_resume(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("resume", "continue a run exactly");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("overrides", a->overrides, "key=value");
    add_output_flags(command, *a);
    command->callback([a, &exit_code] { exit_code = resume(*a); });
}

}  // namespace esper::cli
