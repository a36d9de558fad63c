#pragma once
// Bodies of BasicStateTable; include state_table.h.

#include "esper/execution/state_table.h"

namespace esper::execution {

template <typename Policy>
BasicStateTable<Policy>::BasicStateTable(std::uint32_t seeds, std::uint32_t queue_capacity,
                                         Layout layout)
    : seeds_(seeds), queue_(queue_capacity) {
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
    const SeedWords dormant = pack(SeedRecord{});
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
Status BasicStateTable<Policy>::check_seed(std::uint32_t seed) const {
    if (seed < seeds_) [[likely]]
        return {};
    return fail(StateError::kNoSuchSeed, "no seed " + std::to_string(seed) + ": the table has " +
                                             std::to_string(seeds_) + " seeds");
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
template <typename Admit>
bool BasicStateTable<Policy>::lock_row(std::uint32_t seed, std::uint64_t& control, Admit admit) {
    for (unsigned attempt = 0;; ++attempt) {
        control = word(seed, 0).load(std::memory_order_acquire);
        if ((control & kBusyBit) == 0) {
            if (!admit(control)) return false;
            if (word(seed, 0).compare_exchange_strong(control, control | kBusyBit,
                                                      std::memory_order_acquire)) {
                return true;
            }
        } else {
            Policy::relax(attempt);
        }
    }
}

template <typename Policy>
SeedWords BasicStateTable<Policy>::load_locked(std::uint32_t seed, std::uint64_t control) const {
    SeedWords w;
    w[0] = control;
    for (std::size_t i = 1; i < kSeedWords; ++i) {
        w[i] = word(seed, i).load(std::memory_order_relaxed);
    }
    return w;
}

template <typename Policy>
void BasicStateTable<Policy>::publish(std::uint32_t seed, const SeedRecord& record) {
    SeedRecord next = record;
    next.version = record.version + 2;
    const SeedWords w = pack(next);
    // Release on each word: a reader that meets a new word also meets the busy control word.
    for (std::size_t i = 1; i < kSeedWords; ++i) {
        word(seed, i).store(w[i], std::memory_order_release);
    }
    word(seed, 0).store(w[0], std::memory_order_release);
}

template <typename Policy>
template <typename Change>
Status BasicStateTable<Policy>::modify(std::uint32_t seed, Change change) {
    ESPER_CHECK_STATUS(check_seed(seed));
    wait_at_gate();
    std::uint64_t control = 0;
    lock_row(seed, control, [](std::uint64_t) { return true; });
    SeedRecord record = unpack(load_locked(seed, control));
    Status status = change(record);
    if (status) {
        publish(seed, record);
    } else {
        word(seed, 0).store(control, std::memory_order_release);
    }
    return status;
}

template <typename Policy>
Result<SeedRecord> BasicStateTable<Policy>::read(std::uint32_t seed) const {
    ESPER_CHECK_STATUS(check_seed(seed));
    return unpack(load_row(seed));
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::move_row(const Transition& move, const SeedState* from) {
    ESPER_CHECK_STATUS(check_seed(move.seed));
    wait_at_gate();
    std::uint64_t control = 0;
    // What the control word alone refuses is refused without taking the row.
    const bool locked = lock_row(move.seed, control, [&](std::uint64_t c) {
        return (from == nullptr || control_state(c) == *from) &&
               is_legal(control_state(c), move.to, move.actor);
    });
    const SeedState left = control_state(control);
    if (!locked) {
        if (from != nullptr && left != *from) {
            return fail(StateError::kStale,
                        "seed " + std::to_string(move.seed) + ": expected it in " +
                            std::string(contracts::to_text(*from)) + ", found it in " +
                            std::string(contracts::to_text(left)) + "; read it again");
        }
        return tl::unexpected<Error>(check(SeedRecord{.state = left}, move).error());
    }
    SeedRecord record = unpack(load_locked(move.seed, control));
    if (Status status = check(record, move); !status) {
        word(move.seed, 0).store(control, std::memory_order_release);
        return tl::unexpected<Error>(std::move(status).error());
    }
    apply(record, move);
    publish(move.seed, record);
    return left;
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::transition(const Transition& move) {
    return move_row(move, nullptr);
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::transition_from(SeedState from, const Transition& move) {
    return move_row(move, &from);
}

template <typename Policy>
Result<SeedState> BasicStateTable<Policy>::record_error(std::uint32_t seed, std::uint32_t epoch) {
    SeedState after{};
    ESPER_CHECK_STATUS(modify(seed, [&](SeedRecord& r) -> Status {
        count_error(r, epoch);
        after = r.state;
        return {};
    }));
    return after;
}

template <typename Policy>
Status BasicStateTable<Policy>::record(std::uint32_t seed, float health, std::uint64_t latency_us,
                                       std::uint32_t epoch) {
    if (!(health >= 0 && health <= 1)) {
        return fail(StateError::kBadValue, "seed " + std::to_string(seed) +
                                               ": a health sample lies in 0 … 1, got " +
                                               std::to_string(health));
    }
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    return modify(seed, [&](SeedRecord& r) -> Status {
        add_health(r, health);
        r.latency_us = static_cast<std::uint32_t>(std::min(latency_us, kMax));
        r.last_update_epoch = epoch;
        return {};
    });
}

template <typename Policy>
Status BasicStateTable<Policy>::set_alpha(std::uint32_t seed, float alpha) {
    if (!(alpha >= 0 && alpha <= 1)) {
        return fail(StateError::kBadValue, "seed " + std::to_string(seed) +
                                               ": α lies in 0 … 1, got " + std::to_string(alpha));
    }
    return modify(seed, [&](SeedRecord& r) -> Status {
        if (!contracts::is_blended(r.state) || r.state == SeedState::kFossilized) {
            return fail(StateError::kBadValue,
                        "seed " + std::to_string(seed) + " in " +
                            std::string(contracts::to_text(r.state)) +
                            " has no α to set; it is blended from GRAFTING to FINE_TUNING");
        }
        r.alpha = alpha;
        return {};
    });
}

template <typename Policy>
Status BasicStateTable<Policy>::set_ready(std::uint32_t seed, bool ready) {
    return modify(seed, [&](SeedRecord& r) -> Status {
        const auto without = static_cast<unsigned>(r.flags) & ~unsigned{kReadyForTransition};
        r.flags = static_cast<std::uint8_t>(without | (ready ? unsigned{kReadyForTransition} : 0u));
        return {};
    });
}

template <typename Policy>
Status BasicStateTable<Policy>::enqueue(const Transition& move) {
    ESPER_CHECK_STATUS(check_seed(move.seed));
    if (queue_.push(move)) return {};
    return fail(StateError::kQueueFull, "the command queue holds " +
                                            std::to_string(queue_.capacity()) +
                                            " commands; apply them at an epoch boundary first");
}

template <typename Policy>
BoundaryReport BasicStateTable<Policy>::apply_pending(std::uint32_t epoch, BoundaryMode mode) {
    BoundaryReport report;
    report.epoch = epoch;
    Transition move;
    for (std::uint32_t i = 0; i < queue_.capacity() && queue_.pop(move); ++i) {
        move.epoch = epoch;
        report.outcomes.push_back({move, SeedState::kDormant, {}});
    }
    std::vector<std::uint32_t> seeds;
    for (const auto& o : report.outcomes) seeds.push_back(o.command.seed);
    std::ranges::sort(seeds);
    seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());

    // Every row is held before the first is judged and until the last is written; others hold at
    // most one row and never wait for a second, so nobody waits in a circle.
    wait_at_gate();
    std::vector<SeedRecord> before;
    for (std::uint32_t seed : seeds) {
        std::uint64_t control = 0;
        lock_row(seed, control, [](std::uint64_t) { return true; });
        before.push_back(unpack(load_locked(seed, control)));
    }
    std::vector<SeedRecord> after = before;
    auto slot = [&](std::uint32_t seed) {
        return static_cast<std::size_t>(std::ranges::lower_bound(seeds, seed) - seeds.begin());
    };
    bool refused = false;
    for (auto& o : report.outcomes) {
        SeedRecord& record = after[slot(o.command.seed)];
        o.from = record.state;
        o.status = check(record, o.command);
        if (o.status) apply(record, o.command);
        refused |= !o.status;
    }
    if (refused && mode == BoundaryMode::kAllOrNothing) {
        after = before;
        for (auto& o : report.outcomes) {
            if (o.status) {
                o.status = fail(StateError::kGroupRefused,
                                "seed " + std::to_string(o.command.seed) +
                                    ": legal, but another command of its group was refused");
            }
        }
    }
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        if (after[i] == before[i]) {
            word(seeds[i], 0).store(pack(before[i])[0], std::memory_order_release);
        } else {
            publish(seeds[i], after[i]);
        }
    }
    return report;
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
        // Versions only grow, so their sum stands still exactly when all of them do.
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
StateCounts BasicStateTable<Policy>::counts() const {
    StateCounts counts{};
    collect([&](std::uint32_t s) {
        if (s == 0) counts = {};
        std::uint64_t control = word(s, 0).load(std::memory_order_acquire);
        for (unsigned attempt = 0; (control & kBusyBit) != 0; ++attempt) {
            Policy::relax(attempt);
            control = word(s, 0).load(std::memory_order_acquire);
        }
        ++counts[static_cast<std::size_t>(control_state(control)) % counts.size()];
        return control;
    });
    return counts;
}

template <typename Policy>
Status BasicStateTable<Policy>::verify() const {
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        const SeedWords w = load_row(s);
        const bool known =
            static_cast<std::size_t>(control_state(w[0])) < contracts::kEnumCount<SeedState>;
        if (w[kSeedWords - 1] != seal_of(w) || !known) {
            return fail(StateError::kCorrupt,
                        "seed " + std::to_string(s) +
                            ": its row was overwritten from outside the table; roll back to the "
                            "last checkpoint");
        }
    }
    return {};
}

template <typename Policy>
Status BasicStateTable<Policy>::restore(const StateSnapshot& snapshot) {
    if (snapshot.size() != seeds_) {
        return fail(StateError::kSizeMismatch,
                    "a snapshot of " + std::to_string(snapshot.size()) + " seeds for a table of " +
                        std::to_string(seeds_) + "; resize the snapshot first");
    }
    wait_at_gate();
    std::vector<std::uint64_t> control(seeds_);
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        lock_row(s, control[s], [](std::uint64_t) { return true; });
    }
    for (std::uint32_t s = 0; s < seeds_; ++s) {
        SeedRecord record = snapshot.row(s);
        // The row's own version goes on, so that no reader takes the restored row for the old one.
        record.version = static_cast<std::uint32_t>(control[s] >> 32);
        publish(s, record);
    }
    return {};
}

}  // namespace esper::execution
