#include <vector>

#include "esper/execution/cuda/check.cuh"
#include "esper/execution/cuda/state_table.h"

namespace esper::execution::cuda {
namespace {

constexpr unsigned kThreads = 128;
using Word = unsigned long long;

// Device code cannot index a constant of the host, and nvcc cannot spell the type of that one.
struct Movers {
    std::uint16_t of[contracts::kEnumCount<SeedState>][contracts::kEnumCount<SeedState>];
};
constexpr Movers copied_movers() {
    Movers movers{};
    for (std::size_t from = 0; from < contracts::kEnumCount<SeedState>; ++from)
        for (std::size_t to = 0; to < contracts::kEnumCount<SeedState>; ++to)
            movers.of[from][to] = contracts::kSeedMovers[from][to];
    return movers;
}
__constant__ const Movers device_movers = copied_movers();

__device__ bool is_allowed_here(const SeedRecord& row, const Transition& move) {
    const auto from = static_cast<std::size_t>(row.state);
    const auto to = static_cast<std::size_t>(move.to);
    if (from >= contracts::kEnumCount<SeedState> || to >= contracts::kEnumCount<SeedState>)
        return false;
    if ((device_movers.of[from][to] & contracts::mover(move.actor)) == 0) return false;
    return fits(row, move);
}

/// Applies `change(row)` to a row as one write; writes nothing if it returns false.
template <typename Change>
__device__ bool modify(Word* words, std::uint32_t seeds, std::uint32_t seed, Change change) {
    volatile Word* const at = words + seed;
    for (;;) {
        const Word control = at[0];
        if ((control & kBusyBit) != 0) continue;
        __threadfence();
        if (atomicCAS(words + seed, control, control | kBusyBit) != control) continue;
        SeedWords row_words{};
        row_words[0] = control;
        for (std::size_t i = 1; i < kSeedWords; ++i) row_words[i] = at[i * seeds];
        SeedRecord row = unpack(row_words);
        const bool changed = change(row);
        if (changed) {
            row_words = pack(row, row.version + 2);
            for (std::size_t i = 1; i < kSeedWords; ++i) at[i * seeds] = row_words[i];
        }
        __threadfence();
        at[0] = changed ? row_words[0] : control;
        return changed;
    }
}

__global__ void apply_moves(Word* words, std::uint32_t seeds, const Transition* moves,
                            std::size_t count, Outcome* outcomes) {
    const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Transition move = moves[i];
    if (move.seed >= seeds) {
        outcomes[i] = Outcome::kNoSuchSeed;
        return;
    }
    const bool moved = modify(words, seeds, move.seed, [&](SeedRecord& row) {
        if (!is_allowed_here(row, move)) return false;
        apply(row, move);
        return true;
    });
    outcomes[i] = moved ? Outcome::kApplied : Outcome::kRefused;
}

__global__ void take_samples(Word* words, std::uint32_t seeds, const Sample* samples,
                             std::size_t count) {
    const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Sample sample = samples[i];
    if (sample.seed >= seeds || !(sample.health >= 0 && sample.health <= 1)) return;
    modify(words, seeds, sample.seed, [&](SeedRecord& row) {
        add_health(row, sample.health);
        row.latency_us = sample.latency_us;
        row.last_update_epoch = sample.epoch;
        return true;
    });
}

unsigned blocks_for(std::size_t count) {
    return static_cast<unsigned>((count + kThreads - 1) / kThreads);
}

}  // namespace

Result<DeviceStateTable> DeviceStateTable::create(const StateSnapshot& snapshot) {
    DeviceStateTable table;
    table.seeds_ = static_cast<std::uint32_t>(snapshot.size());
    std::vector<std::uint64_t> columns(kSeedWords * snapshot.size());
    for (std::size_t seed = 0; seed < snapshot.size(); ++seed) {
        const SeedRecord row = snapshot.row(seed);
        const SeedWords words = pack(row, row.version);
        for (std::size_t i = 0; i < kSeedWords; ++i) columns[i * snapshot.size() + seed] = words[i];
    }
    ESPER_TRY(table.words_, DeviceMemory::copy_of(columns.data(), columns.size() * sizeof(Word)));
    return table;
}

Result<std::vector<Outcome>> DeviceStateTable::transition(std::span<const Transition> moves) {
    std::vector<Outcome> outcomes(moves.size());
    if (moves.empty()) return outcomes;
    ESPER_TRY(const DeviceMemory input, DeviceMemory::copy_of(moves.data(), moves.size_bytes()));
    ESPER_TRY(const DeviceMemory output, DeviceMemory::allocate(moves.size()));
    apply_moves<<<blocks_for(moves.size()), kThreads>>>(
        words_.as<Word>(), seeds_, input.as<Transition>(), moves.size(), output.as<Outcome>());
    ESPER_CHECK_STATUS(check(cudaGetLastError(), "state transitions"));
    ESPER_CHECK_STATUS(output.read(outcomes.data(), outcomes.size()));
    return outcomes;
}

Status DeviceStateTable::record(std::span<const Sample> samples) {
    if (samples.empty()) return {};
    ESPER_TRY(const DeviceMemory input,
              DeviceMemory::copy_of(samples.data(), samples.size_bytes()));
    take_samples<<<blocks_for(samples.size()), kThreads>>>(words_.as<Word>(), seeds_,
                                                           input.as<Sample>(), samples.size());
    ESPER_CHECK_STATUS(check(cudaGetLastError(), "state samples"));
    return synchronise();
}

Result<StateSnapshot> DeviceStateTable::snapshot() const {
    std::vector<std::uint64_t> columns(kSeedWords * seeds_);
    ESPER_CHECK_STATUS(words_.read(columns.data(), columns.size() * sizeof(Word)));
    StateSnapshot snapshot;
    snapshot.resize(seeds_);
    for (std::size_t seed = 0; seed < seeds_; ++seed) {
        SeedWords words{};
        for (std::size_t i = 0; i < kSeedWords; ++i) words[i] = columns[i * seeds_ + seed];
        snapshot.set_row(seed, unpack(words));
    }
    return snapshot;
}

}  // namespace esper::execution::cuda
