#include "esper/base/random.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace esper {
namespace {

// Constants of the paper's section 3.3: multipliers, and the Weyl sequence that bumps the key.
constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;

constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

// FNV-1a, 64 bits: enough to tell purposes apart, and they are short.
std::uint64_t purpose_hash(std::string_view purpose) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : purpose) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    return hash;
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
        const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
        counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
                   high(product0) ^ counter[3] ^ key[1], low(product0)};
        key[0] += kWeyl0;
        key[1] += kWeyl1;
    }
    return counter;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t step,
                           std::uint32_t index)
    : counter_{0, index, low(step), high(step)} {
    // Seed and purpose fill the 64-bit key together; Philox itself mixes them.
    const std::uint64_t hash = purpose_hash(purpose);
    const auto mixed = philox4x32({low(hash), high(hash), 0, 0}, {low(seed), high(seed)});
    key_ = {mixed[0], mixed[1]};
}

std::uint32_t RandomStream::next_u32() {
    if (used_ == 4) {
        block_ = philox4x32(counter_, key_);
        ++counter_[0];
        used_ = 0;
    }
    return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t RandomStream::next_u64() {
    const std::uint64_t lower = next_u32();
    return lower | (std::uint64_t{next_u32()} << 32);
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double RandomStream::uniform(double lowest, double highest) {
    return lowest + (highest - lowest) * uniform();
}

double RandomStream::normal() {
    if (std::exchange(has_spare_, false)) return spare_;
    // 1 - u lies in (0, 1], so the logarithm is finite.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
    if (bound <= 1) return 0;
    // Refusing the first 2^64 mod bound values leaves a multiple of bound, so every residue has the
    // same probability.
    const std::uint64_t refused = (0 - bound) % bound;
    std::uint64_t value = next_u64();
    while (value < refused) value = next_u64();
    return value % bound;
}

std::vector<std::uint32_t> random_permutation(RandomStream& stream, std::uint32_t n) {
    std::vector<std::uint32_t> order(n);
    for (std::uint32_t i = 0; i < n; ++i) order[i] = i;
    for (std::uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
    return order;
}

}  // namespace esper
