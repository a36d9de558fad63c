#include "esper/execution/states/state_snapshot.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include "esper/base/hash.h"

namespace esper::execution {
namespace {

static_assert(std::endian::native == std::endian::little, "columns are stored as they lie");

constexpr std::string_view kMagic = "ESPSEEDS";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeader = 8 + 4 + 4;
constexpr std::uint32_t kMaxSeeds = 1u << 24;

template <typename Snapshot, typename F>
void each_column(Snapshot& s, F f) {
    f(s.state), f(s.flags), f(s.error_count), f(s.version), f(s.last_update_epoch);
    f(s.latency_us), f(s.embargo_until), f(s.transitions), f(s.kernel_id), f(s.alpha), f(s.health);
}

std::size_t bytes_per_seed() {
    std::size_t bytes = 0;
    const StateSnapshot empty;
    each_column(empty, [&](const auto& column) { bytes += sizeof(column[0]); });
    return bytes;
}

Status check_rows(const StateSnapshot& s) {
    auto bad = [](std::size_t seed, std::string_view what) {
        return fail(StateError::kBadSnapshot, fmt::format("seed {}: {}", seed, what));
    };
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s.state[i] >= contracts::kEnumCount<SeedState>) return bad(i, "no such state");
        if ((s.version[i] & 1) != 0) return bad(i, "a version caught in mid-write");
        if (!(s.alpha[i] >= 0 && s.alpha[i] <= 1)) return bad(i, "α outside 0 … 1");
        if (!(s.health[i] >= 0 && s.health[i] <= 1)) return bad(i, "health outside 0 … 1");
    }
    return {};
}

}  // namespace

void StateSnapshot::resize(std::size_t seeds) {
    each_column(*this, [seeds](auto& column) { column.resize(seeds); });
}

SeedRecord StateSnapshot::row(std::size_t i) const {
    return {static_cast<SeedState>(state[i]),
            flags[i],
            error_count[i],
            version[i],
            kernel_id[i],
            alpha[i],
            health[i],
            last_update_epoch[i],
            latency_us[i],
            embargo_until[i],
            transitions[i]};
}

void StateSnapshot::set_row(std::size_t i, const SeedRecord& r) {
    state[i] = static_cast<std::uint8_t>(r.state);
    flags[i] = r.flags;
    error_count[i] = r.error_count;
    version[i] = r.version;
    kernel_id[i] = r.kernel_id;
    alpha[i] = r.alpha;
    health[i] = r.health;
    last_update_epoch[i] = r.last_update_epoch;
    latency_us[i] = r.latency_us;
    embargo_until[i] = r.embargo_until;
    transitions[i] = r.transitions;
}

std::uint32_t StateSnapshot::crc() const {
    std::uint32_t crc = 0;
    each_column(*this,
                [&](const auto& column) { crc = crc32c(std::as_bytes(std::span(column)), crc); });
    return crc;
}

std::string serialise(const StateSnapshot& snapshot) {
    std::string out(kMagic);
    auto put = [&out](const void* data, std::size_t bytes) {
        out.append(static_cast<const char*>(data), bytes);
    };
    const auto seeds = static_cast<std::uint32_t>(snapshot.size());
    out.reserve(kHeader + seeds * bytes_per_seed() + 4);
    put(&kVersion, 4);
    put(&seeds, 4);
    each_column(snapshot,
                [&](const auto& column) { put(column.data(), column.size() * sizeof(column[0])); });
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(out)));
    put(&crc, 4);
    return out;
}

Result<StateSnapshot> parse_snapshot(std::string_view bytes) {
    if (bytes.size() < kHeader + 4 || bytes.substr(0, 8) != kMagic) {
        return fail(StateError::kBadSnapshot, "not a seed table: the magic ESPSEEDS is missing");
    }
    std::uint32_t version = 0, seeds = 0, stored_crc = 0;
    std::memcpy(&version, bytes.data() + 8, 4);
    std::memcpy(&seeds, bytes.data() + 12, 4);
    if (version != kVersion) {
        return fail(StateError::kUnsupportedVersion,
                    fmt::format("a seed table of version {}, expected {}", version, kVersion));
    }
    const std::uint64_t expected = kHeader + seeds * std::uint64_t{bytes_per_seed()} + 4;
    if (seeds > kMaxSeeds || bytes.size() != expected) {
        return fail(StateError::kBadSnapshot,
                    fmt::format("a seed table of {} seeds takes {} bytes, got {}", seeds, expected,
                                bytes.size()));
    }
    std::memcpy(&stored_crc, bytes.data() + bytes.size() - 4, 4);
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes.data(), bytes.size() - 4)));
    if (crc != stored_crc) {
        return fail(StateError::kChecksumMismatch,
                    fmt::format("the seed table's CRC-32C is {:08x}, its content gives {:08x}; "
                                "restore an older checkpoint",
                                stored_crc, crc));
    }
    StateSnapshot s;
    s.resize(seeds);
    const char* at = bytes.data() + kHeader;
    each_column(s, [&](auto& column) {
        const std::size_t n = column.size() * sizeof(column[0]);
        if (n != 0) std::memcpy(column.data(), at, n);
        at += n;
    });
    ESPER_CHECK_STATUS(check_rows(s));
    return s;
}

}  // namespace esper::execution
