#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "esper/execution/kernels/cache_types.h"

namespace esper::execution {

/// One artifact as a file: magic, version, id, length, bytes, SHA-256 over all before it.
std::string encode_disk_entry(std::uint64_t id, std::string_view bytes);
/// The artifact's bytes; kBadDiskEntry for anything that is not exactly what was written for `id`.
Result<std::string> decode_disk_entry(std::uint64_t id, std::string_view file);

/// The cache's second tier: a folder of artifacts, bounded by bytes (least recently used goes
/// first), which survives restarts and kills: a file appears under its name only when it is whole
/// and synced, a damaged one is found by its checksum, removed and counted. Thread-safe; no lock is
/// held while a file is read or written.
class DiskTier {
  public:
    /// Opens the folder, creating it; removes what a killed writer left behind.
    static Result<std::unique_ptr<DiskTier>> open(std::filesystem::path folder,
                                                  std::uint64_t byte_budget);

    /// The artifact, or nothing when it is not there (or was damaged).
    std::optional<std::string> get(std::uint64_t id);
    /// kDiskUnavailable when it could not be written. Larger than the budget: not kept, no error.
    Status put(std::uint64_t id, std::string_view bytes);
    void remove(std::uint64_t id);

    /// Ids that may never be loaded again; they outlive the process.
    Status ban(std::uint64_t id, std::string_view reason);
    std::unordered_map<std::uint64_t, std::string> banned() const;

    std::uint64_t bytes() const;
    std::uint64_t entries() const;
    std::uint64_t corrupt_found() const;

  private:
    DiskTier(std::filesystem::path folder, std::uint64_t byte_budget)
        : folder_(std::move(folder)), byte_budget_(byte_budget) {}
    Status scan();
    std::filesystem::path path_of(std::uint64_t id) const;
    void drop_locked(std::uint64_t id);

    struct File {
        std::uint64_t size;
        std::list<std::uint64_t>::iterator order;
    };
    const std::filesystem::path folder_;
    const std::uint64_t byte_budget_;
    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, File> files_;
    std::list<std::uint64_t> order_;  // least recently used first
    std::uint64_t bytes_ = 0;
    std::uint64_t corrupt_ = 0;
};

}  // namespace esper::execution
