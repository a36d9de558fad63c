#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "esper/execution/states/atomics_policy.h"
#include "esper/execution/states/command_queue.h"
#include "esper/execution/states/state_errors.h"
#include "esper/execution/states/state_snapshot.h"

namespace esper::execution {

/// Where a seed's words lie. They are columns with two strides; the default gives each seed a cache
/// line of its own, so that writers of different seeds never meet (bench/execution/state_layout
/// compares the three).
enum class Layout {
    kLinePerSeed,    ///< a line holds all words of one seed
    kColumns,        ///< dense columns: neighbours share lines
    kPaddedColumns,  ///< columns with one seed a line
};

/// What one command of an epoch boundary came to.
struct CommandOutcome {
    Transition command;
    SeedState from = SeedState::kDormant;
    Status status;
};

struct BoundaryReport {
    std::uint32_t epoch = 0;
    std::vector<CommandOutcome> outcomes;  ///< in the order the commands were queued
    std::size_t applied() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            outcomes, [](const CommandOutcome& o) { return o.status.has_value(); }));
    }
};

enum class BoundaryMode {
    kRefuseIllegal,  ///< legal commands are applied, the others are refused with their reason
    kAllOrNothing,   ///< one illegal command refuses the whole group
};

/// The seeds' states. Any thread may call anything; only `apply_pending` belongs to one thread.
///
/// A row changes under its own version: a writer makes it odd by compare-and-swap, writes the words
/// and publishes the control word with the next even version. A reader repeats when the version was
/// odd or moved. A snapshot of the table collects all rows, then sees that no version moved; if
/// writers are too busy for that it closes a gate in front of new writes for the moment it needs.
template <typename Policy = StdAtomics>
class BasicStateTable {
  public:
    static constexpr std::uint32_t kDefaultQueue = 1024;

    explicit BasicStateTable(std::uint32_t seeds, std::uint32_t queue_capacity = kDefaultQueue,
                             Layout layout = Layout::kLinePerSeed);

    std::uint32_t size() const { return seeds_; }

    /// The seed's state now; `seed` must be below size().
    SeedState state(std::uint32_t seed) const {
        return control_state(word(seed, 0).load(std::memory_order_acquire));
    }
    /// The whole row at one moment.
    Result<SeedRecord> read(std::uint32_t seed) const;

    /// Moves one seed at once and returns the state it left. Errors: kNoSuchSeed,
    /// kIllegalTransition, kTerminal, kWrongActor, kEmbargoed, kMissingKernel.
    Result<SeedState> transition(const Transition& move);
    /// The same, only if the seed is in `from` (else kStale).
    Result<SeedState> transition_from(SeedState from, const Transition& move);

    /// Counts one run-time error of the seed's kernel and returns the state after it (see
    /// count_error).
    Result<SeedState> record_error(std::uint32_t seed, std::uint32_t epoch);
    /// One execution: a health sample in 0 … 1 for the average, its latency, the epoch.
    Status record(std::uint32_t seed, float health, std::uint64_t latency_us, std::uint32_t epoch);
    /// The blend weight, 0 … 1; only seeds that are blended and not yet fossilized have one.
    Status set_alpha(std::uint32_t seed, float alpha);
    /// The seed asks for its next command (or no longer does).
    Status set_ready(std::uint32_t seed, bool ready);

    /// Queues a move for the next epoch boundary; kQueueFull when there is no room.
    Status enqueue(const Transition& move);
    /// Applies everything queued at one moment: no reader and no snapshot sees a part of it.
    /// Commands are judged in their order, each on the row the earlier ones would leave.
    BoundaryReport apply_pending(std::uint32_t epoch,
                                 BoundaryMode mode = BoundaryMode::kRefuseIllegal);

    /// All rows at one moment. The second form reuses `out`'s memory.
    StateSnapshot snapshot() const;
    void snapshot(StateSnapshot& out) const;
    /// Derived from the rows, so it cannot drift from them.
    StateCounts counts() const;

    /// Every row against its seal; kCorrupt names the first seed whose memory was written by
    /// something else than this table.
    Status verify() const;
    /// Takes over a snapshot of the same size; nothing is changed on an error.
    Status restore(const StateSnapshot& snapshot);

  private:
    using Word = typename Policy::template Atomic<std::uint64_t>;
    friend struct StateTableTestAccess;

    const Word& word(std::uint32_t seed, std::size_t i) const {
        return words_[seed * seed_stride_ + i * word_stride_];
    }
    Word& word(std::uint32_t seed, std::size_t i) {
        return words_[seed * seed_stride_ + i * word_stride_];
    }

    SeedWords load_row(std::uint32_t seed) const;
    void wait_at_gate() const;
    /// Makes the row busy and returns its control word from before.
    std::uint64_t lock_row(std::uint32_t seed);
    /// The same in one try, if the control word is still this one.
    bool take_row(Word* row, std::uint64_t control);
    SeedWords load_words(const Word* row, std::uint64_t control) const;
    void publish(Word* row, const SeedWords& words);
    /// Runs `change(row)` on the row as one write, or not at all if it refuses (returns false); it
    /// may be run more than once. `row` is the row after it, or as it was.
    template <typename Change>
    bool modify(std::uint32_t seed, SeedRecord& row, Change change);
    /// A transition: refused with `refusal_of(row)` unless `allowed(words)`.
    template <typename Allowed, typename Refusal>
    Result<SeedState> make_move(const Transition& move, Allowed allowed, Refusal refusal_of);
    template <typename Visit>
    void collect(Visit visit) const;

    std::uint32_t seeds_;
    std::size_t seed_stride_;
    std::size_t word_stride_;
    struct Free {
        std::size_t count;
        void operator()(Word* words) const;
    };
    std::unique_ptr<Word[], Free> words_;
    BoundedQueue<Transition, Policy> queue_;
    alignas(64) mutable typename Policy::template Atomic<std::uint32_t> gate_{0};
};

}  // namespace esper::execution

#include "esper/execution/states/state_table_impl.h"
