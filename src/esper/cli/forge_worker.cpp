#include "esper/cli/forge_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "esper/cli/print.h"
#include "esper/cli/signals.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/supply/forge_worker.h"
#include "esper/services/urza/library.h"

namespace esper::cli {

namespace {

volatile std::sig_atomic_t ended_by = 0;

std::string name_of_this_process() {
    std::array<char, 256> machine{};
    if (::gethostname(machine.data(), machine.size() - 1) != 0) machine[0] = '?';
    return fmt::format("{}:{}", records::printable(machine.data()), ::getpid());
}

}  // namespace

void add_worker_options(CLI::App& command, CLI::Option& worker, WorkerFlags& flags) {
    command.add_option("--name", flags.name,
                       "of the worker (default: the machine's, and the process's number)");
    command
        .add_option("--lease", flags.lease_seconds,
                    "seconds after which another worker may take a job of one that is gone "
                    "(default: 60)")
        ->check(CLI::Range(3, 24 * 3600));
    command.add_flag("--until-empty", flags.until_empty,
                     "end where there is nothing to do now; what others have, or what waits for "
                     "another attempt, is left");
    for (const char* own : {"--name", "--lease", "--until-empty"})
        command.get_option(own)->needs(&worker);
}

int run_worker(const WorkerFlags& flags, const std::string& library,
               const supply::ForgeWishes& wishes) {
    if (const auto why = supply::why_no_forge(wishes); !why.empty()) {
        std::fprintf(stderr, "esper: %s\n", why.c_str());
        return 1;
    }
    std::error_code ignored;
    supply::WorkerOptions options;
    // Its own word for the child too, which has no flag for it.
    options.library = library.empty() ? urza::default_library_path() : library;
    options.program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    options.wishes = wishes;
    options.name = flags.name.empty() ? name_of_this_process() : flags.name;
    options.lease = std::chrono::seconds(flags.lease_seconds);
    options.until_empty = flags.until_empty;
    for (const int signal : {SIGINT, SIGTERM})
        std::signal(signal, [](int number) { ended_by = number; });
    const auto tally = supply::work_off(
        options, [] { return ended_by != 0; },
        [](const std::string& line) {
            std::printf("%s\n", records::printable(line).c_str());
            std::fflush(stdout);
        });
    if (!tally) return report_error(tally.error());
    std::fprintf(stderr, "esper: %s done, %s failed, %s dropped\n",
                 std::to_string(tally->done).c_str(), std::to_string(tally->failed).c_str(),
                 std::to_string(tally->dropped).c_str());
    return ended_by == SIGINT ? kInterrupted : 0;
}

}  // namespace esper::cli
