// What the compiler's sandbox costs: a start of `true` at each level, in turns, and `g++` of a
// small source. The peer of a level is the one below it.

#include <chrono>
#include <fstream>

#include "bench_report.h"
#include "esper/execution/kernels/bubblewrap.h"
#include "esper/execution/kernels/image_process.h"

namespace {

using namespace esper;  // NOLINT(google-build-using-namespace)
using execution::ChildEnd;
using execution::SandboxLevel;
using execution::WorkFolder;

constexpr std::size_t kStarts = 100;
constexpr std::size_t kCompilations = 25;

double milliseconds_at(SandboxLevel level, const std::vector<std::string>& command,
                       const WorkFolder& folder) {
    const auto begin = std::chrono::steady_clock::now();
    const auto end =
        level == SandboxLevel::kNamespaces
            ? execution::run_in_bubblewrap(execution::find_bubblewrap(), command, folder.path(), {})
            : execution::run_restricted(command, folder.path(), {}, level == SandboxLevel::kJail,
                                        -1);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (!end || !end->ended_well()) {
        std::fprintf(stderr, "sandbox level %d: %s\n", static_cast<int>(level),
                     end ? end->output.c_str() : end.error().to_string().c_str());
        std::exit(1);
    }
    return took.count();
}

/// In turns, each first in every second round.
bench::Samples in_turns(SandboxLevel level, std::size_t rounds,
                        const std::vector<std::string>& command, const WorkFolder& folder) {
    const auto below = static_cast<SandboxLevel>(static_cast<int>(level) - 1);
    bench::Samples samples;
    for (std::size_t i = 0; i < rounds; ++i) {
        const double first = milliseconds_at(i % 2 == 0 ? level : below, command, folder);
        const double second = milliseconds_at(i % 2 == 0 ? below : level, command, folder);
        samples.ours.push_back(i % 2 == 0 ? first : second);
        samples.peer.push_back(i % 2 == 0 ? second : first);
    }
    return samples;
}

void add(bench::Report& report, SandboxLevel level, const std::string& what, std::size_t rounds,
         const std::vector<std::string>& command, const WorkFolder& folder) {
    const auto name = fmt::format("{} at level {}", what, static_cast<int>(level));
    const auto samples = in_turns(level, rounds, command, folder);
    report.add_pairs(name, "ms", samples, fmt::format("level {}", static_cast<int>(level) - 1));
    std::printf("%s: %zu times, p50 %.1f ms, p95 %.1f ms; at the level below %.1f and %.1f ms\n",
                name.c_str(), rounds, bench::median(samples.ours),
                bench::quantile(samples.ours, 0.95), bench::median(samples.peer),
                bench::quantile(samples.peer, 0.95));
}

}  // namespace

int main(int argc, char** argv) {
    const auto& here = execution::sandbox();
    std::printf("sandbox level %d %s\n", static_cast<int>(here.level), here.why_not_higher.c_str());
    const auto folder = value_or_throw(WorkFolder::make());
    std::ofstream(folder.path() / "job.cpp")
        << "#include <vector>\nint f(const std::vector<int>& v) { return v.empty() ? 0 : v[0]; }\n";
    bench::Report report("sandbox");
    for (const auto level : {SandboxLevel::kNamespaces, SandboxLevel::kJail}) {
        if (here.level < level) continue;
        add(report, level, "start", kStarts, {"/usr/bin/true"}, folder);
        add(report, level, "compilation", kCompilations,
            {"/usr/bin/g++", "-std=c++20", "-O2", "-c", "job.cpp", "-o", "job.o"}, folder);
    }
    return report.finish(argc, argv);
}
