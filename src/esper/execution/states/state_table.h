#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "esper/execution/states/atomics_policy.h"
#include "esper/execution/states/state_errors.h"
#include "esper/execution/states/state_snapshot.h"

namespace esper::execution {

/// The memory layout of the seeds' words. By default each seed has a cache line of its own, so that
/// writers of different seeds do not slow each other down (bench/execution/state_layout_bench.cpp).
enum class Layout {
    kLinePerSeed,    ///< a line holds all words of one seed
    kColumns,        ///< dense columns: neighbours share lines
    kPaddedColumns,  ///< columns with one seed a line
};

/// The states of all seeds. Every function may be called from any thread.
///
/// Each row has a version. A writer makes it odd by compare-and-swap, writes the words, and stores
/// the control word with the next even version. A reader reads again if the version was odd or has
/// changed. A snapshot reads all rows and then checks that no version has changed; if writers keep
/// changing rows, it holds up new writes until it is done.
template <typename Policy = StdAtomics>
class BasicStateTable {
  public:
    explicit BasicStateTable(std::uint32_t seeds, Layout layout = Layout::kLinePerSeed);

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

    /// Counts one run-time error of the seed's kernel (see count_error) and returns the state
    /// after it.
    Result<SeedState> record_error(std::uint32_t seed, std::uint32_t epoch);
    /// Records one execution: a health sample in 0 … 1, its latency in µs, the epoch.
    Status record(std::uint32_t seed, float health, std::uint64_t latency_us, std::uint32_t epoch);
    /// Sets the blend weight, 0 … 1. The seed must be blended and not yet fossilized.
    Status set_alpha(std::uint32_t seed, float alpha);

    /// All rows at one moment. The second form reuses `out`'s memory.
    StateSnapshot snapshot() const;
    void snapshot(StateSnapshot& out) const;

    /// Checks every row's seal. Error: kCorrupt, with the first seed whose memory was overwritten
    /// by code other than this table.
    Status verify() const;
    /// Replaces all rows by those of a snapshot of the same size. On an error nothing changes.
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
    /// Marks the row as busy and returns its control word from before.
    std::uint64_t lock_row(std::uint32_t seed);
    /// Tries once to mark the row as busy; succeeds if its control word is still `control`.
    bool take_row(Word* row, std::uint64_t control);
    SeedWords load_words(const Word* row, std::uint64_t control) const;
    void publish(Word* row, const SeedWords& words);
    /// Applies `change(row)` to the row as one write. Writes nothing if `change` returns false.
    /// `change` may be called more than once. Afterwards `row` holds the row's present values.
    template <typename Change>
    bool modify(std::uint32_t seed, SeedRecord& row, Change change);
    /// Makes a transition if `allowed(words)`; otherwise returns the error `refusal_of(row)`.
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
    alignas(64) mutable typename Policy::template Atomic<std::uint32_t> gate_{0};
};

}  // namespace esper::execution

#include "esper/execution/states/state_table_impl.h"
