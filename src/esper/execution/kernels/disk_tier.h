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

/// The file of one artifact: magic, version, id, length, bytes, SHA-256 over all before it.
std::string encode_disk_entry(std::uint64_t id, std::string_view bytes);
/// The artifact's bytes. Error: kBadDiskEntry unless `file` is an intact entry for `id`.
Result<std::string> decode_disk_entry(std::uint64_t id, std::string_view file);

/// The cache's second tier: a folder of artifacts with a limit in bytes; the least recently used
/// file is removed first. It survives restarts and kills: a file gets its final name when it is
/// complete and synced, and a damaged file is found by its checksum, removed and counted.
/// Thread-safe; no lock is held while a file is read or written.
class DiskTier {
  public:
    /// Opens or creates the folder. Removes unfinished files of a killed process.
    static Result<std::unique_ptr<DiskTier>> open(std::filesystem::path folder,
                                                  std::uint64_t byte_budget);

    /// The artifact's bytes, or nothing when the file is missing or damaged.
    std::optional<std::string> get(std::uint64_t id);
    /// Stores an artifact; one larger than the budget is ignored. Error: kDiskUnavailable.
    Status put(std::uint64_t id, std::string_view bytes);
    void remove(std::uint64_t id);

    /// Bans ids for good: they must never be loaded again. Bans are kept on disk.
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
