#pragma once

#include <atomic>

namespace esper::tolaria {

/// Asks a run to stop. A training step is always finished; work beside the steps (measuring,
/// forks, readouts, validation, samples) is done under a Heeded, and ends at its next pass through
/// the network with TolariaError::kStopped. request() is safe from a signal handler and from any
/// thread, the rest belongs to the training thread.
class StopSignal {
  public:
    void request() { requested_.store(true); }
    bool is_requested() const { return requested_.load(); }
    /// Whether a pass ought not to begin.
    bool ends_work() const { return heeded_ && requested_.load(); }

    /// While it lives, the signal ends work.
    class Heeded {
      public:
        explicit Heeded(StopSignal& signal) : signal_(signal) { signal_.heeded_ = true; }
        ~Heeded() { signal_.heeded_ = false; }
        Heeded(const Heeded&) = delete;
        Heeded& operator=(const Heeded&) = delete;

      private:
        StopSignal& signal_;
    };

  private:
    std::atomic<bool> requested_{false};
    bool heeded_ = false;
};

}  // namespace esper::tolaria
