#include "esper/services/urza/library_copy.h"

#include <unistd.h>

#include "esper/services/urza/migrations.h"
#include "esper/services/urza/rows.h"
#include "esper/services/urza/sqlite_database.h"

namespace esper::urza {

namespace fs = std::filesystem;

Status Snapshot::begin() {
    return database_.run(database_.dialect() == Dialect::kPostgres
                             ? "BEGIN ISOLATION LEVEL REPEATABLE READ"
                             : "BEGIN");
}

Result<std::set<std::string>> needed_objects(Database& database) {
    std::set<std::string> digests;
    ESPER_CHECK_STATUS(
        each_row(database, "id, object, collected", "kernel", "id", [&](const Statement& row) {
            if (row.integer(2) == 0) digests.insert(row.text(1));
            return Status{};
        }));
    return digests;
}

Result<std::uint64_t> copy_objects(const std::set<std::string>& digests, Objects& from,
                                   Objects& to) {
    for (const auto& digest : digests) {
        ESPER_TRY(const std::string content, from.get(digest));
        ESPER_CHECK_STATUS(to.put(content));
    }
    return digests.size();
}

BackupToRead::~BackupToRead() {
    snapshot_.reset();
    database_.reset();
    std::error_code ignored;
    if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
}

Result<std::unique_ptr<BackupToRead>> BackupToRead::open(const fs::path& folder) {
    auto backup = std::make_unique<BackupToRead>();
    backup->file_ = folder / kDatabaseFile;
    ESPER_TRY(backup->database_,
              SqliteDatabase::open(backup->file_, SqliteDatabase::Mode::kReadOnly));
    ESPER_TRY(const bool is_new, is_up_to_date(*backup->database_));
    if (!is_new) {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "esper-restore-XXXXXX").string();
        if (error || ::mkdtemp(name.data()) == nullptr)
            return fail(UrzaError::kReadOnly, name + ": no temporary folder can be made");
        backup->scratch_ = name;
        backup->file_ = backup->scratch_ / kDatabaseFile;
        {
            ESPER_TRY(auto copying, backup->database_->prepare("VACUUM INTO ?"));
            ESPER_CHECK_STATUS(copying.bind(backup->file_.string()).run());
        }
        ESPER_TRY(backup->database_,
                  SqliteDatabase::open(backup->file_, SqliteDatabase::Mode::kReadWrite));
        ESPER_CHECK_STATUS(migrate(*backup->database_));
    }
    backup->snapshot_ = std::make_unique<Snapshot>(*backup->database_);
    ESPER_CHECK_STATUS(backup->snapshot_->begin());
    return backup;
}

}  // namespace esper::urza
