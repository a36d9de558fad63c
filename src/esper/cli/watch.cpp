#include <CLI/CLI.hpp>
#include <memory>

#include "esper/cli/commands.h"
#include "esper/cli/page_process.h"

namespace esper::cli {

namespace {

struct WatchArguments {
    std::vector<std::string> runs;
    std::string host = "127.0.0.1";
    int port = 8005;
    std::vector<std::string> names;
};

int watch(const WatchArguments& a) {
    std::vector<std::string> words{"--host", a.host, "--port", std::to_string(a.port)};
    for (const auto& name : a.names) words.insert(words.end(), {"--name", name});
    words.emplace_back("--");
    words.insert(words.end(), a.runs.begin(), a.runs.end());
    if (a.runs.empty()) words.emplace_back("runs");
    return become_page(std::move(words));
}

void add_to(CLI::App* command, int& exit_code) {
    auto a = std::make_shared<WatchArguments>();
    command->add_option("runs", a->runs, "folders of runs, or runs (default: runs)");
    command->add_option("--port", a->port, "of the page; 0: any free one (default: 8005)");
    command->add_option("--host", a->host,
                        "where to listen (default: 127.0.0.1, which only this machine reaches)");
    command->add_option("--name", a->names,
                        "a name of this machine under which browsers may ask for the page");
    command->callback([a, &exit_code] { exit_code = watch(*a); });
}

}  // namespace

void add_watch(CLI::App& app, int& exit_code) {
    add_to(app.add_subcommand("watch", "show runs in the browser, live and afterwards"), exit_code);
    auto* nissa = app.add_subcommand("nissa", "the observer of runs");
    nissa->group("")->require_subcommand(1);
    add_to(nissa->add_subcommand("serve", "the same as 'esper watch'"), exit_code);
}

}  // namespace esper::cli
