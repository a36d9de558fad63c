#pragma once
// What libtorch allocates on this thread.

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <memory>

namespace esper::graph {

/// While it lives, it sees every allocation that libtorch's CPU allocator makes on this thread.
class AllocationWatch {
  public:
    AllocationWatch()
        : notes_(std::make_shared<Notes>()), guard_(c10::DebugInfoKind::PROFILER_STATE, notes_) {}

    /// Bytes of the largest single allocation so far.
    std::int64_t largest() const { return notes_->largest; }
    /// The most bytes that were allocated at once; what was there before does not count.
    std::int64_t peak() const { return notes_->peak; }

    /// From here on. What was allocated before and is freed counts as less than nothing.
    void restart() { notes_->largest = notes_->live = notes_->peak = 0; }

  private:
    struct Notes : c10::MemoryReportingInfoBase {
        std::int64_t largest = 0;
        std::int64_t live = 0;
        std::int64_t peak = 0;
        // Negative bytes: freed.
        void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t,
                               c10::Device) override {
            largest = std::max(largest, bytes);
            live += bytes;
            peak = std::max(peak, live);
        }
        bool memoryProfilingEnabled() const override { return true; }
    };
    std::shared_ptr<Notes> notes_;
    c10::DebugInfoGuard guard_;
};

}  // namespace esper::graph
