#include "esper/engine/waiting_threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace esper::graph {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetweenLooks = 200ms;
constexpr double kBusyShare = 0.1;
constexpr double kCalmShare = 0.02;
constexpr auto kCalmFor = 30s;

/// Processors that this process may use, as OpenMP counts them.
int processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// One parallel region of all `threads`, which leaves a team behind that belongs to the caller.
void make_team(int threads) {
    at::parallel_for(0, threads, 1, [](std::int64_t, std::int64_t) {});
}

}  // namespace

std::map<int, std::uint64_t> run_delays() {
    std::map<int, std::uint64_t> delays;
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
        const std::string name = task.path().filename();
        int id = 0;
        std::from_chars(name.data(), name.data() + name.size(), id);
        std::uint64_t ran = 0, waited = 0;
        // A thread may end between the listing and the look.
        if (std::ifstream(task.path() / "schedstat") >> ran >> waited) delays[id] = waited;
    }
    return delays;
}

double BusyMachine::observe(std::map<int, std::uint64_t> delays, std::chrono::nanoseconds elapsed) {
    double worst = 0;
    for (const auto& [id, waited] : delays) {
        const auto before = before_.find(id);
        if (before == before_.end() || waited < before->second || elapsed.count() <= 0) continue;
        worst = std::max(worst, static_cast<double>(waited - before->second) /
                                    static_cast<double>(elapsed.count()));
    }
    before_ = std::move(delays);
    calm_ = worst < kCalmShare ? calm_ + elapsed : 0ns;
    if (worst > kBusyShare) busy_ = true;
    if (calm_ >= kCalmFor) busy_ = false;
    return worst;
}

WaitingThreads::WaitingThreads(int threads) : threads_(threads) {
    const bool told = std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT");
    if (told || threads < 2 || run_delays().empty()) return;
    watcher_ = std::thread([this] { watch(); });
}

WaitingThreads::~WaitingThreads() {
    if (!watcher_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
    watcher_.join();
    end_teams();
}

bool WaitingThreads::give_way() const {
    const std::lock_guard lock(mutex_);
    return giving_way_;
}

void WaitingThreads::watch() {
    BusyMachine machine;
    auto last = std::chrono::steady_clock::now();
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            if (changed_.wait_for(lock, kBetweenLooks, [this] { return ended_; })) return;
        }
        const auto now = std::chrono::steady_clock::now();
        machine.observe(run_delays(), now - last);
        last = now;
        if (machine.is_busy() != give_way()) machine.is_busy() ? start_teams() : end_teams();
    }
}

void WaitingThreads::start_teams() {
    // A team adds all of its threads but the one that it belongs to.
    const int teams = processors() / (threads_ - 1) + 1;
    int ready = 0;
    for (int i = 0; i < teams; ++i) {
        teams_.emplace_back([this, &ready] {
            make_team(threads_);
            std::unique_lock lock(mutex_);
            ++ready;
            changed_.notify_all();
            changed_.wait(lock, [this] { return teams_end_; });
        });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready == teams; });
    giving_way_ = true;
}

void WaitingThreads::end_teams() {
    {
        const std::lock_guard lock(mutex_);
        teams_end_ = true;
        giving_way_ = false;
    }
    changed_.notify_all();
    for (std::thread& team : teams_) team.join();
    teams_.clear();
    const std::lock_guard lock(mutex_);
    teams_end_ = false;
}

}  // namespace esper::graph
