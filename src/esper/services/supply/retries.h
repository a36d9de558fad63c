#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "esper/base/error.h"

namespace esper::supply {

/// Repeats what failed, on a thread of its own and with growing pauses, until it succeeds; so that
/// nobody else waits for something that is gone. Thread-safe.
class Retries {
  public:
    using Milliseconds = std::chrono::milliseconds;
    struct Pauses {
        Milliseconds first{1'000}, longest{120'000};
    };
    /// `attempt` is called on that thread alone.
    explicit Retries(std::function<Status()> attempt) : Retries(std::move(attempt), Pauses()) {}
    Retries(std::function<Status()> attempt, Pauses pauses)
        : attempt_(std::move(attempt)), pauses_(pauses) {}
    /// Waits for an attempt that is being made.
    ~Retries() { stop(); }
    Retries(const Retries&) = delete;
    Retries& operator=(const Retries&) = delete;

    /// It failed now: the first attempt is made after a pause.
    void begin(const Error& why);
    /// Why it failed last; nothing once an attempt has succeeded, and before begin().
    std::optional<Error> failing() const;
    void stop();

  private:
    void run();
    const std::function<Status()> attempt_;
    const Pauses pauses_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Error> failing_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace esper::supply
