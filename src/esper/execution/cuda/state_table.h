#pragma once

#include <cstdint>
#include <span>

#include "esper/execution/cuda/device.h"
#include "esper/execution/states/state_snapshot.h"
#include "esper/execution/states/transitions.h"

namespace esper::execution::cuda {

/// The result of one move on the GPU.
enum class Outcome : std::uint8_t { kApplied, kRefused, kNoSuchSeed };

/// One execution of a seed's kernel: a health sample in 0 … 1, latency, epoch.
struct Sample {
    std::uint32_t seed = 0;
    float health = 0;
    std::uint32_t latency_us = 0;
    std::uint32_t epoch = 0;
};

/// The state table in the GPU's memory. It has the same six words per seed, the same rules
/// (seed_record.h) and the same row protocol (odd version by compare-and-swap, write, next even
/// version) as the CPU's. The words are columns, so that a warp loads adjacent memory. Moves of one
/// batch run in parallel; several moves of one seed run in any order, each checked on the row that
/// it finds.
class DeviceStateTable {
  public:
    static Result<DeviceStateTable> create(const StateSnapshot& snapshot);

    std::uint32_t size() const { return seeds_; }
    /// Makes the moves that is_allowed permits; returns each one's outcome. Waits for the GPU.
    Result<std::vector<Outcome>> transition(std::span<const Transition> moves);
    /// Records health samples, latencies and epochs; ignores samples out of range. Waits for the
    /// GPU.
    Status record(std::span<const Sample> samples);
    /// All rows, for StateTable::restore.
    Result<StateSnapshot> snapshot() const;

  private:
    DeviceStateTable() = default;
    std::uint32_t seeds_ = 0;
    DeviceMemory words_;  // kSeedWords columns of seeds_
};

}  // namespace esper::execution::cuda
