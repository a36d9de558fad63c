// A training step while other processes want the processors, with threads that give way to them
// against OpenMP's own, which spin; and the same on a machine that has nothing else to do.

#include <ATen/Parallel.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "bench_report.h"
#include "engine_cases.h"
#include "esper/engine/waiting_threads.h"

namespace {

using namespace std::chrono_literals;
using esper::graph::WaitingThreads;

/// Processes that compute without end, one for each processor.
class BusyProcesses {
  public:
    BusyProcesses() {
        for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
            const pid_t child = fork();
            if (child < 0) throw std::runtime_error("fork failed");
            if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (volatile bool busy = true; busy;) {
                }
            }
            children_.push_back(child);
        }
    }
    ~BusyProcesses() {
        for (const pid_t child : children_) {
            kill(child, SIGKILL);
            waitpid(child, nullptr, 0);
        }
    }
    BusyProcesses(const BusyProcesses&) = delete;
    BusyProcesses& operator=(const BusyProcesses&) = delete;

  private:
    std::vector<pid_t> children_;
};

double ms_per_step(bench::Training& training, double seconds) {
    const double begin = bench::now_ns();
    int steps = 0;
    do {
        training.step();
        ++steps;
    } while (bench::now_ns() - begin < seconds * 1e9);
    return (bench::now_ns() - begin) / 1e6 / steps;
}

bench::Samples pairs(bench::Training& training, bool busy) {
    constexpr int kPairs = 8;
    constexpr double kSeconds = 1.5;
    std::optional<BusyProcesses> others;
    if (busy) others.emplace();
    bench::Samples samples;
    for (int i = 0; i < 2 * kPairs; ++i) {
        if (const bool ours = i % 4 == 0 || i % 4 == 3; ours) {
            WaitingThreads waiting(at::get_num_threads());
            // It looks while steps are done.
            for (int look = 0; look < 100 && busy && !waiting.give_way(); ++look)
                ms_per_step(training, 0.1);
            samples.ours.push_back(ms_per_step(training, kSeconds));
        } else {
            samples.peer.push_back(ms_per_step(training, kSeconds));
        }
    }
    return samples;
}

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
    bench::Report report("busy");
    for (const bench::Case& what : {bench::Case{"gpt", 8}, bench::Case{"resnet8", 32}}) {
        bench::Training training(what);
        ms_per_step(training, 1.0);
        report.add_pairs(what.host + ": a step beside as many busy processes as processors", "ms",
                         pairs(training, true), "threads that spin");
        report.add_pairs(what.host + ": a step alone", "ms", pairs(training, false),
                         "threads that spin");
    }
    return report.finish(argc, argv);
}
