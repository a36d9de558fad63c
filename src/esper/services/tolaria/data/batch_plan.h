#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace esper::tolaria {

/// The examples of each batch of a run: a pure function of (examples, batch size, seed, step). So a
/// resumed run and a fork use exactly the same batches.
class BatchPlan {
  public:
    /// A new random order in each epoch; an incomplete last batch is left out. A batch is never
    /// larger than the number of examples. Both counts must be ≥ 1.
    static BatchPlan shuffled(std::uint32_t examples, std::uint32_t batch, std::uint64_t seed);
    /// The examples 0 … examples-1 in order, once; the last batch may be smaller.
    static BatchPlan in_order(std::uint32_t examples, std::uint32_t batch);

    std::uint64_t steps_per_epoch() const { return steps_per_epoch_; }
    std::uint32_t batch_size() const { return batch_; }
    std::uint64_t epoch_of(std::uint64_t step) const { return step / steps_per_epoch_; }
    bool is_shuffled() const { return seed_.has_value(); }

    /// Stores the examples of batch `step` (counted from the start of the run) in `indices`. Caches
    /// the order of one epoch, so use one plan per thread.
    void batch(std::uint64_t step, std::vector<std::uint32_t>& indices);

  private:
    BatchPlan(std::uint32_t examples, std::uint32_t batch, std::optional<std::uint64_t> seed);

    std::uint32_t examples_;
    std::uint32_t batch_;
    std::optional<std::uint64_t> seed_;
    std::uint64_t steps_per_epoch_;
    std::optional<std::uint64_t> ordered_epoch_;
    std::vector<std::uint32_t> order_;
};

}  // namespace esper::tolaria
