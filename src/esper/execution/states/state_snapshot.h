#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esper/execution/states/seed_record.h"

namespace esper::execution {

/// All seeds at one moment as dense columns, for checkpoints and for the GPU's table.
struct StateSnapshot {
    std::vector<std::uint8_t> state, flags;
    std::vector<std::uint16_t> error_count;
    std::vector<std::uint32_t> version, last_update_epoch, latency_us, embargo_until, transitions;
    std::vector<std::uint64_t> kernel_id;
    std::vector<float> alpha, health;

    std::size_t size() const { return state.size(); }
    /// Rows that are added hold dormant seeds.
    void resize(std::size_t seeds);
    SeedRecord row(std::size_t seed) const;
    void set_row(std::size_t seed, const SeedRecord& row);

    /// CRC-32C over the columns in the order of their declaration.
    std::uint32_t crc() const;
    bool operator==(const StateSnapshot&) const = default;
};

/// The checkpoint form: magic, version, number of seeds, columns (little-endian), CRC-32C over all
/// before it. Errors of `parse_snapshot`: kBadSnapshot (another format, wrong length, unknown
/// state, value out of range), kUnsupportedVersion, kChecksumMismatch.
std::string serialise(const StateSnapshot& snapshot);
Result<StateSnapshot> parse_snapshot(std::string_view bytes);

}  // namespace esper::execution
