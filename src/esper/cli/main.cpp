#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/fault_points.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/guard.h"
#include "esper/cli/lr_find.h"
#include "esper/cli/signals.h"
#include "esper/version.h"

namespace {

extern "C" void end_interrupted(int) { _exit(esper::cli::kInterrupted); }

bool is_set(char** environment, std::string_view name) {
    for (char** entry = environment; *entry != nullptr; ++entry)
        if (std::string_view(*entry).starts_with(name)) return true;
    return false;
}

// OpenMP's threads wait for each other by spinning, for three milliseconds unless they are told
// otherwise. On an idle machine nobody waits as long. On a busy one the thread that is waited for
// does not run while the others spin, and training slows by an order of magnitude. So they sleep
// after some microseconds (docs/engine.md). OpenMP reads that when it is loaded, from the
// environment that the process was started with: so the process starts again with it, as what it
// is. Where that cannot be, threads spin.
void let_waiting_threads_sleep(char** arguments, char** environment) {
    constexpr std::size_t kMost = 4096;
    static char spin[] = "GOMP_SPINCOUNT=1000";
    static char* more[kMost];
    if (is_set(environment, "GOMP_SPINCOUNT=") || is_set(environment, "OMP_WAIT_POLICY=")) return;
    std::size_t n = 0;
    for (; environment[n] != nullptr; ++n) {
        if (n + 2 == kMost) return;
        more[n] = environment[n];
    }
    more[n] = spin;
    execve("/proc/self/exe", arguments, more);
}

// Before the libraries' own constructors: Ctrl-C has the exit code of an interrupted command at any
// moment (unless whoever started us ignores it), a request for a rollback that comes while they
// load must not end the process, a file that may grow no further is an error of writing like any
// other, and no file of a run may get the number of a standard stream that was closed.
void make_ready(int, char** arguments, char** environment) {
    let_waiting_threads_sleep(arguments, environment);
    if (std::signal(SIGINT, end_interrupted) == SIG_IGN) std::signal(SIGINT, SIG_IGN);
    std::signal(SIGUSR1, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    for (int fd = 0; fd < 3; ++fd)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) open("/dev/null", O_RDWR);
}
__attribute__((section(".preinit_array"), used)) void (*const kFirst)(int, char**,
                                                                      char**) = make_ready;

// CLI11 reports an unknown word without saying which command it might have been.
bool refuse_unknown_command(const CLI::App& app, std::span<const std::string> words,
                            const std::string& above = "esper") {
    if (app.get_require_subcommand_min() == 0 || words.empty() || words[0].starts_with('-'))
        return false;
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == words[0])
            return refuse_unknown_command(*command, words.subspan(1), above + " " + words[0]);
        if (!command->get_group().empty()) names.push_back(command->get_name());
    }
    std::fprintf(stderr, "%s: there is no command %s; there are: %s\n", above.c_str(),
                 esper::quote_with_suggestion(words[0], names).c_str(),
                 esper::join(names, ", ").c_str());
    return true;
}

/// `esper help train` asks what `esper train --help` does.
std::vector<std::string> words_of(int argc, char** argv) {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (!words.empty() && words[0] == "help") {
        words.erase(words.begin());
        words.emplace_back("--help");
    }
    return words;
}

int run(int argc, char** argv) {
    CLI::App app{"esper: neural networks that grow while they train", "esper"};
    app.set_version_flag("-v,--version", "esper " ESPER_VERSION);
    app.footer(
        "esper help COMMAND shows the flags of one. Exit codes: 0 done, 1 failed, 2 bad usage "
        "or configuration, 3 bad or missing data, 4 verification failed, 130 interrupted.");
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
    esper::cli::add_finish(app, exit_code);
    esper::cli::add_pareto(app, exit_code);
    esper::cli::add_adapt(app, exit_code);
    esper::cli::add_adapters(app, exit_code);
    esper::cli::add_library(app, exit_code);
    esper::cli::add_keys(app, exit_code);
    esper::cli::add_token(app, exit_code);
    esper::cli::add_urza(app, exit_code);
    esper::cli::add_soak(app, exit_code);
    esper::cli::add_forge(app, exit_code);
    esper::cli::add_runs(app, exit_code);
    esper::cli::add_compare(app, exit_code);
    esper::cli::add_sample(app, exit_code);
    esper::cli::add_predict(app, exit_code);
    esper::cli::add_sweep(app, exit_code);
    esper::cli::add_lr_find(app, exit_code);
    esper::cli::add_watch(app, exit_code);
    esper::cli::add_roles(app, exit_code);
    auto words = words_of(argc, argv);
    if (refuse_unknown_command(app, words)) return 2;
    try {
        std::reverse(words.begin(), words.end());  // as CLI11 wants them
        app.parse(words);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    return esper::cli::checked_output(esper::cli::guarded([&] { return run(argc, argv); }));
}
