#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "esper/execution/states/transitions.h"

namespace esper::execution {

enum SeedFlags : std::uint8_t {
    kFallbackActive = 1,  ///< the identity path runs in place of the seed
    kHasHealth = 4,       ///< the health average has had its first sample
};

/// One seed's row of the table as plain values.
struct SeedRecord {
    SeedState state = SeedState::kDormant;
    std::uint8_t flags = 0;
    std::uint16_t error_count = 0;
    std::uint32_t version = 0;    ///< grows with every change of the row; even
    std::uint64_t kernel_id = 0;  ///< first 8 bytes of the hash of the blueprint's Program; 0: none
    float alpha = 0;              ///< blend weight, 0 … 1
    float health = 0;             ///< exponential average (0.1): 1 an epoch of its native kernel
                                  ///< without an error, 0 an error; 0 … 1
    std::uint32_t last_update_epoch = 0;
    std::uint32_t latency_us = 0;     ///< mean of a call of its native kernel; saturates
    std::uint32_t embargo_until = 0;  ///< first epoch in which a culled slot may wake again
    std::uint32_t transitions = 0;    ///< how often the slot has changed state

    bool operator==(const SeedRecord&) const = default;
};

/// The row as the words that the table stores: control (state, flags, errors, version), kernel,
/// blend, activity, slot, and a seal: a checksum of the other five that detects any stray write.
inline constexpr std::size_t kSeedWords = 6;
using SeedWords = std::array<std::uint64_t, kSeedWords>;

inline constexpr std::uint64_t kBusyBit = std::uint64_t{1} << 32;  // lowest bit of the version

constexpr std::uint64_t seal_of(const SeedWords& w) {
    return w[0] ^ std::rotl(w[1], 11) ^ std::rotl(w[2], 23) ^ std::rotl(w[3], 37) ^
           std::rotl(w[4], 49) ^ 0x5eed5ea15eed5ea1ull;
}

constexpr SeedState control_state(std::uint64_t control) {
    return static_cast<SeedState>(control & 0xff);
}

constexpr std::uint64_t pack_pair(std::uint32_t low, std::uint32_t high) {
    return low | static_cast<std::uint64_t>(high) << 32;
}

/// Packs the record with `version` instead of the record's own, which may be the previous one.
constexpr SeedWords pack(const SeedRecord& r, std::uint32_t version) {
    SeedWords w{};
    w[0] = static_cast<std::uint64_t>(r.state) | static_cast<std::uint64_t>(r.flags) << 8 |
           static_cast<std::uint64_t>(r.error_count) << 16 |
           static_cast<std::uint64_t>(version) << 32;
    w[1] = r.kernel_id;
    w[2] = pack_pair(std::bit_cast<std::uint32_t>(r.alpha), std::bit_cast<std::uint32_t>(r.health));
    w[3] = pack_pair(r.last_update_epoch, r.latency_us);
    w[4] = pack_pair(r.embargo_until, r.transitions);
    w[5] = seal_of(w);
    return w;
}

constexpr SeedRecord unpack(const SeedWords& w) {
    auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    SeedRecord r;
    r.state = control_state(w[0]);
    r.flags = static_cast<std::uint8_t>(w[0] >> 8);
    r.error_count = static_cast<std::uint16_t>(w[0] >> 16);
    r.version = high(w[0]);
    r.kernel_id = w[1];
    r.alpha = std::bit_cast<float>(low(w[2]));
    r.health = std::bit_cast<float>(high(w[2]));
    r.last_update_epoch = low(w[3]);
    r.latency_us = high(w[3]);
    r.embargo_until = low(w[4]);
    r.transitions = high(w[4]);
    return r;
}

/// One move of one seed.
struct Transition {
    std::uint32_t seed = 0;
    SeedState to = SeedState::kDormant;
    ComponentType actor = ComponentType::kTamiyo;
    std::uint32_t epoch = 0;
    std::uint64_t kernel_id = 0;       ///< required to enter GERMINATED, else ignored
    std::uint32_t embargo_epochs = 0;  ///< on entering CULLED: how long the slot stays closed
};

/// The reason why is_allowed refuses a move.
[[gnu::cold]] Error refusal(const SeedRecord& row, const Transition& move);

/// Whether the move has a kernel if it germinates, and the row has no embargo if it wakes.
constexpr bool fits(const SeedRecord& row, const Transition& move) {
    return (move.to != SeedState::kGerminated || move.kernel_id != 0) &&
           (row.state != SeedState::kCulled || move.to != SeedState::kDormant ||
            move.epoch >= row.embargo_until);
}
/// Whether the move may be made. Checks the table of moves, the actor, the kernel and the embargo.
constexpr bool is_allowed(const SeedRecord& row, const Transition& move) {
    return is_legal(row.state, move.to, move.actor) && fits(row, move);
}
inline Status check(const SeedRecord& row, const Transition& move) {
    if (is_allowed(row, move)) [[likely]]
        return {};
    return tl::unexpected<Error>(refusal(row, move));
}

/// Changes the row by a legal move. GERMINATED sets the kernel and clears the previous seed's
/// errors, health and α. CULLED, CANCELLED, ROLLED_BACK and DORMANT clear α; DORMANT also clears
/// the kernel. ERROR_RECOVERY sets the fallback flag. FOSSILIZED sets α to 1.
constexpr void apply(SeedRecord& row, const Transition& move) {
    using enum SeedState;
    unsigned flags = row.flags;
    const SeedState to = move.to;
    if (to == kGerminated || to == kDormant || to == kCulled || to == kCancelled ||
        to == kRolledBack) {
        row.alpha = 0;
    }
    if (to == kGerminated) {
        row.kernel_id = move.kernel_id;
        row.error_count = 0;
        row.health = 0;
        row.latency_us = 0;
        flags &= ~unsigned{kHasHealth | kFallbackActive};
    } else if (to == kDormant) {
        row.kernel_id = 0;
        flags &= ~unsigned{kFallbackActive};
    } else if (to == kCulled) {
        const std::uint64_t until = std::uint64_t{move.epoch} + move.embargo_epochs;
        row.embargo_until = until > std::numeric_limits<std::uint32_t>::max()
                                ? std::numeric_limits<std::uint32_t>::max()
                                : static_cast<std::uint32_t>(until);
    } else if (to == kErrorRecovery) {
        flags |= kFallbackActive;
    } else if (to == kFossilized) {
        row.alpha = 1;
    }
    row.flags = static_cast<std::uint8_t>(flags);
    row.state = to;
    row.last_update_epoch = move.epoch;
    ++row.transitions;
}

/// Counts one run-time error at `epoch`. The third error moves the seed to ERROR_RECOVERY if
/// can_fault(its state).
void count_error(SeedRecord& row, std::uint32_t epoch);

/// Adds a health sample to the exponential average (weight 0.1; the first sample starts it).
constexpr void add_health(SeedRecord& row, float health) {
    constexpr float kWeight = 0.1f;
    row.health =
        (row.flags & kHasHealth) != 0 ? (1 - kWeight) * row.health + kWeight * health : health;
    row.flags |= kHasHealth;
}

}  // namespace esper::execution
