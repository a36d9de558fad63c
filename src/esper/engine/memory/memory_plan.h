#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace esper::graph {

/// Where the results of a recorded list lie. Each run of a list asks for the same pieces of memory
/// and frees them in the same order, so their places can be planned once: the first run is watched
/// (its large pieces are pages of their own), and the following ones use the plan's places in one
/// arena. There is no search for free memory then, no memory is given to the system and fetched
/// again, and none is lost between pieces.
///
/// While a run exists, the plan serves what libtorch's CPU allocator is asked for on this thread.
/// Small pieces and those that outlive the run (outputs) come from the allocator as always. A run
/// that asks for something else than the watched one leaves the plan and takes the rest from the
/// allocator, too; the next one is watched anew, a few times.
class MemoryPlan {
  public:
    MemoryPlan();
    ~MemoryPlan();
    MemoryPlan(MemoryPlan&&) noexcept;
    MemoryPlan& operator=(MemoryPlan&&) noexcept;

    /// One run of the list on this thread. A run within another run is not planned.
    class Run {
      public:
        explicit Run(MemoryPlan& plan);
        ~Run();
        Run(const Run&) = delete;
        Run& operator=(const Run&) = delete;

      private:
        MemoryPlan& plan_;
        bool active_ = false;
    };

    /// Of the arena that a run needs; 0 before a run was watched, or if nothing is planned.
    std::size_t bytes() const;
    /// Runs that left the plan.
    int departures() const;

    struct State;

  private:
    std::unique_ptr<State> state_;
};

/// While it exists, large pieces that libtorch's CPU allocator is asked for on this thread are
/// pages of their own (own_pages.h). For work that is done once, such as recording.
class OwnPagesScope {
  public:
    OwnPagesScope();
    ~OwnPagesScope();
    OwnPagesScope(const OwnPagesScope&) = delete;
    OwnPagesScope& operator=(const OwnPagesScope&) = delete;
};

}  // namespace esper::graph
