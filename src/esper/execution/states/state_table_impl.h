#pragma once
// Bodies of BasicStateTable; include state_table.h.

#include "esper/execution/states/seed_move.h"
#include "esper/execution/states/state_table.h"

// The record must stay in registers: an out-of-line change costs more than the whole exchange.
#define ESPER_ALWAYS_INLINE __attribute__((always_inline))

namespace esper::execution {

template <typename Policy>
BasicStateTable<Policy>::BasicStateTable(std::uint32_t seeds, Layout layout) : seeds_(seeds) {
    constexpr std::size_t kLine = 64 / sizeof(std::uint64_t);
    const std::size_t padded = (std::size_t{seeds} + kLine - 1) / kLine * kLine;
    std::size_t count = 0;
    switch (layout) {
        case Layout::kLinePerSeed:
            seed_stride_ = kLine, word_stride_ = 1, count = seeds * kLine;
            break;
        case Layout::kColumns:
            seed_stride_ = 1, word_stride_ = padded, count = padded * kSeedWords;
            break;
        case Layout::kPaddedColumns:
            seed_stride_ = kLine, word_stride_ = seeds * kLine;
            count = word_stride_ * kSeedWords;
            break;
    }
    auto* raw = static_cast<Word*>(::operator new(count * sizeof(Word) + 1, std::align_val_t{64}));
    for (std::size_t i = 0; i < count; ++i) new (raw + i) Word(0);
    words_ = std::unique_ptr<Word[], Free>(raw, Free{count});
    const SeedWords dormant = pack(SeedRecord{}, 0);
    for (std::uint32_t s = 0; s < seeds; ++s) {
        for (std::size_t i = 0; i < kSeedWords; ++i) {
            word(s, i).store(dormant[i], std::memory_order_relaxed);
        }
    }
}

template <typename Policy>
void BasicStateTable<Policy>::Free::operator()(Word* words) const {
    std::destroy_n(words, count);
    ::operator delete(words, std::align_val_t{64});
}

template <typename Policy>
SeedWords BasicStateTable<Policy>::load_row(std::uint32_t seed) const {
    SeedWords w;
    for (unsigned attempt = 0;; ++attempt) {
        w[0] = word(seed, 0).load(std::memory_order_acquire);
        if ((w[0] & kBusyBit) == 0) {
            for (std::size_t i = 1; i < kSeedWords; ++i) {
                w[i] = word(seed, i).load(std::memory_order_acquire);
            }
            if (word(seed, 0).load(std::memory_order_relaxed) == w[0]) return w;
        } else {
            Policy::relax(attempt);
        }
    }
}

template <typename Policy>
void BasicStateTable<Policy>::wait_at_gate() const {
    for (unsigned attempt = 0; gate_.load(std::memory_order_acquire) != 0; ++attempt) {
        Policy::relax(attempt);
    }
}

template <typename Policy>
std::uint64_t BasicStateTable<Policy>::lock_row(std::uint32_t seed) {
    for (unsigned attempt = 0;; ++attempt) {
        std::uint64_t control = word(seed, 0).load(std::memory_order_acquire);
        if ((control & kBusyBit) != 0) {
            Policy::relax(attempt);
        } else if (take_row(&word(seed, 0), control)) {
            return control;
        }
    }
}

template <typename Policy>
bool BasicStateTable<Policy>::take_row(Word* row, std::uint64_t control) {
    return row->compare_exchange_strong(control, control | kBusyBit, std::memory_order_acquire);
}

// Unrolled by hand: in a loop every word would go through memory and cost two multiplications.
template <typename Policy>
inline SeedWords BasicStateTable<Policy>::load_words(const Word* row, std::uint64_t control) const {
    static_assert(kSeedWords == 6);
    const std::size_t step = word_stride_;
    return {control,
            row[step].load(std::memory_order_acquire),
            row[2 * step].load(std::memory_order_acquire),
            row[3 * step].load(std::memory_order_acquire),
            row[4 * step].load(std::memory_order_acquire),
            row[5 * step].load(std::memory_order_acquire)};
}

template <typename Policy>
inline void BasicStateTable<Policy>::publish(Word* row, const SeedWords& w) {
    // Release on each word: a reader that sees a new word also sees the busy control word.
    const std::size_t step = word_stride_;
    row[step].store(w[1], std::memory_order_release);
    row[2 * step].store(w[2], std::memory_order_release);
    row[3 * step].store(w[3], std::memory_order_release);
    row[4 * step].store(w[4], std::memory_order_release);
    row[5 * step].store(w[5], std::memory_order_release);
    row->store(w[0], std::memory_order_release);
}

template <typename Policy>
template <typename Change>
inline bool BasicStateTable<Policy>::modify(std::uint32_t seed, SeedRecord& row, Change change) {
    Word* const at = &word(seed, 0);
    wait_at_gate();
    for (unsigned attempt = 0;; ++attempt) {
        const std::uint64_t control = at->load(std::memory_order_acquire);
        if ((control & kBusyBit) != 0) [[unlikely]] {
            Policy::relax(attempt);
            continue;
        }
        // The new row is computed before the row is marked busy, so it is busy for a few stores
        // only. If take_row succeeds at this version, nobody changed the row in the meantime.
        const SeedWords words = load_words(at, control);
        row = unpack(words);
        if (!change(row)) [[unlikely]] {
            if (at->load(std::memory_order_relaxed) != control) continue;
            return false;
        }
        SeedWords next = pack(row, row.version + 2);
        // A seal that foreign code has broken stays broken.
        next[kSeedWords - 1] ^= words[kSeedWords - 1] ^ seal_of(words);
        if (!take_row(at, control)) [[unlikely]]
            continue;
        publish(at, next);
        return true;
    }
}

template <typename Policy>
Result<SeedRecord> BasicStateTable<Policy>::read(std::uint32_t seed) const {
    if (seed >= seeds_) return fail(state_errors::no_such_seed(seed, seeds_));
    return unpack(load_row(seed));
}

template <typename Policy>
template <typename Allowed, typename Refusal>
inline Result<SeedState> BasicStateTable<Policy>::make_move(const Transition& move, Allowed allowed,
                                                            Refusal refusal_of) {
    if (move.seed >= seeds_) [[unlikely]]
        return fail(state_errors::no_such_seed(move.seed, seeds_));
    Word* const at = &word(move.seed, 0);
    wait_at_gate();
    for (unsigned attempt = 0;; ++attempt) {
        const std::uint64_t control = at->load(std::memory_order_acquire);
        if ((control & kBusyBit) != 0) [[unlikely]] {
            Policy::relax(attempt);
            continue;
        }
        const SeedWords words = load_words(at, control);
        if (!allowed(words)) [[unlikely]] {
            if (at->load(std::memory_order_relaxed) != control) continue;
            return tl::unexpected<Error>(refusal_of(unpack(words)));
        }
        // As in modify: computed before the row is marked busy.
        const SeedWords next = moved(words, move);
        if (!take_row(at, control)) [[unlikely]]
            continue;
        publish(at, next);
        return control_state(control);
    }
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::transition(const Transition& move) {
    return make_move(
        move, [&](const SeedWords& words) ESPER_ALWAYS_INLINE { return is_allowed(words, move); },
        [&](const SeedRecord& row) { return refusal(row, move); });
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::record_error(std::uint32_t seed, std::uint32_t epoch) {
    if (seed >= seeds_) return fail(state_errors::no_such_seed(seed, seeds_));
    SeedRecord row;
    modify(seed, row, [&](SeedRecord& r) ESPER_ALWAYS_INLINE {
        count_error(r, epoch);
        return true;
    });
    return row.state;
}

template <typename Policy>
Status BasicStateTable<Policy>::record(std::uint32_t seed, float health, std::uint64_t latency_us,
                                       std::uint32_t epoch) {
    if (seed >= seeds_) return fail(state_errors::no_such_seed(seed, seeds_));
    if (!(health >= 0 && health <= 1)) return fail(state_errors::bad_health(seed, health));
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    SeedRecord row;
    modify(seed, row, [&](SeedRecord& r) ESPER_ALWAYS_INLINE {
        add_health(r, health);
        r.latency_us = static_cast<std::uint32_t>(std::min(latency_us, kMax));
        r.last_update_epoch = epoch;
        return true;
    });
    return {};
}

template <typename Policy>
Status BasicStateTable<Policy>::set_alpha(std::uint32_t seed, float alpha) {
    if (seed >= seeds_) return fail(state_errors::no_such_seed(seed, seeds_));
    if (!(alpha >= 0 && alpha <= 1)) return fail(state_errors::bad_alpha(seed, alpha));
    SeedRecord row;
    const bool set = modify(seed, row, [&](SeedRecord& r) ESPER_ALWAYS_INLINE {
        if (!contracts::is_blended(r.state) || r.state == SeedState::kFossilized) return false;
        r.alpha = alpha;
        return true;
    });
    if (set) return {};
    return fail(state_errors::no_alpha(seed, row.state));
}

template <typename Policy>
template <typename Visit>
void BasicStateTable<Policy>::collect(Visit visit) const {
    constexpr int kFreeTries = 3;
    bool gated = false;
    for (int attempt = 0;; ++attempt) {
        if (attempt == kFreeTries) {
            gate_.fetch_add(1, std::memory_order_acq_rel);
            gated = true;
        }
        // Versions only grow, so their sum is unchanged exactly when every version is.
        std::uint64_t first = 0, second = 0;
        for (std::uint32_t s = 0; s < seeds_; ++s) first += visit(s) >> 32;
        for (std::uint32_t s = 0; s < seeds_; ++s) {
            second += word(s, 0).load(std::memory_order_acquire) >> 32;
        }
        if (first == second) break;
    }
    if (gated) gate_.fetch_sub(1, std::memory_order_acq_rel);
}

template <typename Policy>
void BasicStateTable<Policy>::snapshot(StateSnapshot& out) const {
    out.resize(seeds_);
    collect([&](std::uint32_t s) {
        const SeedWords w = load_row(s);
        out.set_row(s, unpack(w));
        return w[0];
    });
}

template <typename Policy>
StateSnapshot BasicStateTable<Policy>::snapshot() const {
    StateSnapshot out;
    snapshot(out);
    return out;
}

template <typename Policy>
Status BasicStateTable<Policy>::verify() const {
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        const SeedWords w = load_row(s);
        const bool known =
            static_cast<std::size_t>(control_state(w[0])) < contracts::kEnumCount<SeedState>;
        if (w[kSeedWords - 1] != seal_of(w) || !known) {
            return fail(state_errors::corrupt(s));
        }
    }
    return {};
}

template <typename Policy>
Status BasicStateTable<Policy>::restore(const StateSnapshot& snapshot) {
    if (snapshot.size() != seeds_) {
        return fail(state_errors::size_mismatch(snapshot.size(), seeds_));
    }
    wait_at_gate();
    std::vector<std::uint64_t> control(seeds_);
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        control[s] = lock_row(s);
    }
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        // The row's version keeps growing, so that no reader takes the restored row for the old.
        const auto version = static_cast<std::uint32_t>(control[s] >> 32);
        publish(&word(s, 0), pack(snapshot.row(s), version + 2));
    }
    return {};
}

}  // namespace esper::execution

#undef ESPER_ALWAYS_INLINE
