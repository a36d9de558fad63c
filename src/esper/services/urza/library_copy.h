#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "esper/services/urza/database.h"
#include "esper/services/urza/objects.h"

namespace esper::urza {

/// What copying a whole library there and back has in common.

/// Of a library in a folder.
inline constexpr const char* kDatabaseFile = "urza.sqlite";

/// What a database holds at one moment. Ends its transaction with the object.
class Snapshot {
  public:
    explicit Snapshot(Database& database) : database_(database) {}
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    ~Snapshot() {
        if (database_.in_transaction()) (void)database_.run("ROLLBACK");
    }
    Status begin();

  private:
    Database& database_;
};

/// Digests of the objects that kernels need.
Result<std::set<std::string>> needed_objects(Database& database);

Result<std::uint64_t> copy_objects(const std::set<std::string>& digests, Objects& from,
                                   Objects& to);

/// The database of a backup, to be read as it is at one moment. One of an older version is brought
/// up to date in a copy, which goes away with the object.
class BackupToRead {
  public:
    /// Errors: kDamaged, kTooNew, those of Database.
    static Result<std::unique_ptr<BackupToRead>> open(const std::filesystem::path& folder);
    BackupToRead() = default;
    BackupToRead(const BackupToRead&) = delete;
    BackupToRead& operator=(const BackupToRead&) = delete;
    ~BackupToRead();
    Database& database() { return *database_; }
    /// Of that database.
    const std::filesystem::path& file() const { return file_; }

  private:
    std::filesystem::path scratch_, file_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Snapshot> snapshot_;
};

}  // namespace esper::urza
