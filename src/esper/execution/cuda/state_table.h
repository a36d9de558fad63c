#pragma once

#include <cstdint>
#include <span>

#include "esper/execution/cuda/device.h"
#include "esper/execution/states/state_snapshot.h"
#include "esper/execution/states/transitions.h"

namespace esper::execution::cuda {

/// What one command came to on the GPU.
enum class Outcome : std::uint8_t { kApplied, kRefused, kNoSuchSeed };

/// One execution of a seed's kernel: a health sample in 0 … 1, latency, epoch.
struct Sample {
    std::uint32_t seed = 0;
    float health = 0;
    std::uint32_t latency_us = 0;
    std::uint32_t epoch = 0;
};

/// The state table's twin in the GPU's memory: the same six words a seed, as columns so that a
/// warp's loads lie side by side, the same rules (seed_record.h) and the same row protocol: busy by
/// compare-and-swap, written, published with the next even version. Commands of one batch run in
/// parallel; of several for one seed each is judged on the row it finds, in no promised order.
class DeviceStateTable {
  public:
    static Result<DeviceStateTable> create(const StateSnapshot& snapshot);

    std::uint32_t size() const { return seeds_; }
    /// The outcome of each move, which is_allowed decides. Waits for the GPU.
    Result<std::vector<Outcome>> transition(std::span<const Transition> moves);
    /// Health averages, latencies, epochs. Samples out of range are left out. Waits for the GPU.
    Status record(std::span<const Sample> samples);
    /// All rows; what the host's table restores from.
    Result<StateSnapshot> snapshot() const;

  private:
    DeviceStateTable() = default;
    std::uint32_t seeds_ = 0;
    DeviceMemory words_;  // kSeedWords columns of seeds_
};

}  // namespace esper::execution::cuda
