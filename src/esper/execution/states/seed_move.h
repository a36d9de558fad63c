#pragma once
// A move on a row's packed words. It does what is_allowed and apply (seed_record.h) do to a record,
// but without unpacking the row: unpacking would double the time of a transition.

#include "esper/execution/states/seed_record.h"

namespace esper::execution {

namespace detail {
inline constexpr std::uint64_t kLow = 0xffffffff;
constexpr std::uint64_t flag_bits(unsigned flags) { return std::uint64_t{flags} << 8; }
}  // namespace detail

constexpr bool is_allowed(const SeedWords& w, const Transition& move) {
    using enum SeedState;
    const SeedState from = control_state(w[0]);
    return is_legal(from, move.to, move.actor) && (move.to != kGerminated || move.kernel_id != 0) &&
           (from != kCulled || move.to != kDormant || move.epoch >= (w[4] & detail::kLow));
}

/// The words after a legal move. The seal is updated, not computed anew: if other code has
/// overwritten the row, the seal stays wrong and verify() finds the row.
constexpr SeedWords moved(const SeedWords& w, const Transition& move) {
    using enum SeedState;
    using detail::flag_bits, detail::kLow;
    constexpr std::uint64_t kErrors = 0xffffull << 16;
    const SeedState to = move.to;
    SeedWords n = w;
    n[0] = (w[0] & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(to);
    n[0] += 2 * kBusyBit;
    n[3] = (w[3] & ~kLow) | move.epoch;
    if (to == kGerminated) {
        n[0] &= ~(kErrors | flag_bits(kHasHealth | kFallbackActive));
        n[1] = move.kernel_id;
        n[2] = 0;
        n[3] &= kLow;
    } else if (to == kDormant) {
        n[0] &= ~flag_bits(kFallbackActive);
        n[1] = 0;
        n[2] &= ~kLow;
    } else if (to == kCulled || to == kCancelled || to == kRolledBack) {
        n[2] &= ~kLow;
    } else if (to == kErrorRecovery) {
        n[0] |= flag_bits(kFallbackActive);
    } else if (to == kFossilized) {
        n[2] = (w[2] & ~kLow) | std::bit_cast<std::uint32_t>(1.0f);
    }
    if (to == kCulled) {
        const std::uint64_t until = std::uint64_t{move.epoch} + move.embargo_epochs;
        n[4] = (w[4] & ~kLow) | (until > kLow ? kLow : until);
    }
    n[4] += std::uint64_t{1} << 32;
    n[5] ^= w[0] ^ n[0] ^ std::rotl(w[1] ^ n[1], 11) ^ std::rotl(w[2] ^ n[2], 23) ^
            std::rotl(w[3] ^ n[3], 37) ^ std::rotl(w[4] ^ n[4], 49);
    return n;
}

}  // namespace esper::execution
