#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace esper::tolaria {

/// Which examples make batch number `step` of a run: a pure function of (examples, batch size,
/// seed, step), so that a run resumes, and a fork replays, on exactly the same batches.
class BatchPlan {
  public:
    /// Every epoch a new random order; a last incomplete batch is left out (its examples come
    /// another epoch). A batch is never larger than the number of examples. Both counts ≥ 1.
    static BatchPlan shuffled(std::uint32_t examples, std::uint32_t batch, std::uint64_t seed);
    /// Once through 0 … examples-1 in order; the last batch may be smaller.
    static BatchPlan in_order(std::uint32_t examples, std::uint32_t batch);

    std::uint64_t steps_per_epoch() const { return steps_per_epoch_; }
    std::uint32_t batch_size() const { return batch_; }
    std::uint64_t epoch_of(std::uint64_t step) const { return step / steps_per_epoch_; }
    bool is_shuffled() const { return seed_.has_value(); }

    /// The examples of batch `step` (counted from the start of the run). Keeps the order of the
    /// last epoch asked for: one plan per thread.
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
