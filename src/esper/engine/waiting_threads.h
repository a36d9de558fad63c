#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace esper::graph {

/// Nanoseconds that each thread of this process has been ready to run and had to wait for a
/// processor, by its number; empty where the system keeps no such account
/// (/proc/self/task/*/schedstat).
std::map<int, std::uint64_t> run_delays();

/// Decides from the delays whether the machine is busy.
class BusyMachine {
  public:
    /// The longest waiting share (0–1) of one thread since the last call; 0 at the first.
    double observe(std::map<int, std::uint64_t> delays, std::chrono::nanoseconds elapsed);
    /// True from the first share above a tenth on, until all have been below a fiftieth for half a
    /// minute: threads that sleep hardly wait for a processor, so calm says little.
    bool is_busy() const { return busy_; }

  private:
    std::map<int, std::uint64_t> before_;
    std::chrono::nanoseconds calm_{0};
    bool busy_ = false;
};

/// While it lives, threads that wait for each other inside an operator give up their processor when
/// other processes want it.
///
/// OpenMP's threads wait by spinning for three milliseconds. That is fastest on an idle machine. On
/// a busy one the thread that is waited for does not run while the others spin, and training slows
/// by an order of magnitude instead of in proportion. GNU's OpenMP spins a thousandth of that time
/// once it has more threads than there are processors; so teams that sleep are started while the
/// machine is busy. Where OMP_WAIT_POLICY or GOMP_SPINCOUNT is set, or with one thread, nothing is
/// done.
class WaitingThreads {
  public:
    /// `threads`: as many as operators use.
    explicit WaitingThreads(int threads);
    ~WaitingThreads();
    WaitingThreads(const WaitingThreads&) = delete;
    WaitingThreads& operator=(const WaitingThreads&) = delete;

    /// Whether waiting threads give way now.
    bool give_way() const;

  private:
    void watch();
    void start_teams();
    void end_teams();

    int threads_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
    bool giving_way_ = false;
    bool teams_end_ = false;
    std::vector<std::thread> teams_;
    std::thread watcher_;
};

}  // namespace esper::graph
