#include "esper/cli/forge_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "esper/base/clock.h"
#include "esper/base/text.h"
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

std::string moment_of(std::int64_t utc_ms) { return iso8601(utc_ms * 1'000'000); }

/// What is not done, one line; "" where everything is.
std::string in_words(const supply::WorkLeft& left) {
    std::vector<std::string> parts;
    const auto jobs = [](std::int64_t n) { return fmt::format("{} job{}", n, n == 1 ? "" : "s"); };
    if (left.waiting > 0) {
        const auto until =
            moment_of(left.first) == moment_of(left.last)
                ? moment_of(left.first)
                : fmt::format("{} to {}", moment_of(left.first), moment_of(left.last));
        parts.push_back(fmt::format("{} wait{} for another attempt until {}", jobs(left.waiting),
                                    left.waiting == 1 ? "s" : "", until));
    }
    if (left.dead > 0)
        parts.push_back(fmt::format("{} {} dead (esper urza work ls --state dead says why)",
                                    jobs(left.dead), left.dead == 1 ? "is" : "are"));
    if (left.leased > 0) parts.push_back(fmt::format("other workers have {}", jobs(left.leased)));
    return join(parts, "; ");
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
                     "end where there is nothing to do now; with 1 where jobs wait for another "
                     "attempt or are dead");
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
    const auto& left = tally->left;
    if (const auto words = in_words(left); !words.empty())
        std::fprintf(stderr, "esper: %s\n", words.c_str());
    if (ended_by == SIGINT) return kInterrupted;
    return left.waiting > 0 || left.dead > 0 ? 1 : 0;
}

}  // namespace esper::cli
