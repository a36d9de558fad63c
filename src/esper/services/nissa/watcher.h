#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "esper/services/nissa/run_index.h"
#include "esper/services/serving/event_channel.h"

namespace esper::nissa {

/// Looks at the runs in a thread of its own and publishes what changes: `run` (id, its row, new
/// rows of metrics, whether its growth changed) and `gone` (id). A run that trains is looked at
/// ten times a second, the others every five seconds. Files are polled: no notification reaches
/// everywhere, e.g. not over a network file system.
class Watcher {
  public:
    Watcher(std::shared_ptr<RunIndex> index, std::shared_ptr<serving::EventChannel> events);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    /// Whether every run has been looked at once.
    bool is_ready() const { return ready_; }

  private:
    void work(const std::stop_token& stop);
    void look_for_runs();
    void look_at_runs(std::size_t turn);
    void publish(const Run& run, const Run::News& news);

    std::shared_ptr<RunIndex> index_;
    std::shared_ptr<serving::EventChannel> events_;
    std::atomic<bool> ready_ = false;
    std::jthread thread_;
};

}  // namespace esper::nissa
