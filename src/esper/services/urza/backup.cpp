#include "esper/services/urza/backup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "esper/base/files.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/file_system.h"
#include "esper/services/urza/migrations.h"
#include "esper/services/urza/rows.h"
#include "esper/services/urza/sqlite_database.h"
#include "esper/services/urza/table_copy.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
constexpr const char* kDatabaseFile = "urza.sqlite";

/// Digests of the objects that kernels need.
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

/// Ends a transaction with the object unless it was ended before.
class Snapshot {
  public:
    explicit Snapshot(Database& database) : database_(database) {}
    Status begin() {
        return database_.run(database_.dialect() == Dialect::kPostgres
                                 ? "BEGIN ISOLATION LEVEL REPEATABLE READ"
                                 : "BEGIN");
    }
    ~Snapshot() {
        if (database_.in_transaction()) (void)database_.run("ROLLBACK");
    }

  private:
    Database& database_;
};

/// A folder that goes away with the object.
class Scratch {
  public:
    Scratch() {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "esper-restore-XXXXXX").string();
        if (!error && ::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    ~Scratch() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

/// The database of a backup, to be read. One of an older version is brought up to date in a copy.
Result<std::unique_ptr<Database>> open_backup(const fs::path& file, const Scratch& scratch) {
    ESPER_TRY(auto database, SqliteDatabase::open(file, SqliteDatabase::Mode::kReadOnly));
    ESPER_TRY(const bool is_new, is_up_to_date(*database));
    if (is_new) return database;
    const fs::path copy = scratch.path() / kDatabaseFile;
    ESPER_TRY(auto copying, database->prepare("VACUUM INTO ?"));
    ESPER_CHECK_STATUS(copying.bind(copy.string()).run());
    ESPER_TRY(auto copied, SqliteDatabase::open(copy, SqliteDatabase::Mode::kReadWrite));
    ESPER_CHECK_STATUS(migrate(*copied));
    return copied;
}

/// Where a new folder is made, to be given its name when it is complete.
Result<fs::path> part_beside(const fs::path& folder) {
    std::error_code error;
    if (fs::exists(folder, error))
        return fail(UrzaError::kConflict,
                    folder.string() + " is there; name a folder that a backup can make");
    const fs::path above = fs::absolute(folder).lexically_normal().parent_path();
    fs::create_directories(above, error);
    std::string name = (above / (folder.filename().string() + ".part-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
        return fail(UrzaError::kReadOnly,
                    fmt::format("{}: no folder can be made in it", above.string()));
    return fs::path(name);
}

}  // namespace

Result<Copied> DatabaseLibrary::copy_into(const fs::path& folder) {
    const fs::path keys = folder / "keys";
    ESPER_CHECK_STATUS(make_private_folder(keys));
    ESPER_CHECK_STATUS(execution::KeyFolder(keys).keep_ring(ring_));
    ESPER_TRY(const auto to,
              SqliteDatabase::open(folder / kDatabaseFile, SqliteDatabase::Mode::kReadWrite));
    ESPER_CHECK_STATUS(migrate(*to));
    ESPER_TRY(const auto from, reader());
    Snapshot snapshot(*from);
    ESPER_CHECK_STATUS(snapshot.begin());
    ESPER_CHECK_STATUS(to->begin());
    Copied copied;
    ESPER_TRY(copied.rows, copy_tables(*from, *to));
    ESPER_CHECK_STATUS(to->run("COMMIT"));
    ESPER_TRY(const auto digests, needed_objects(*from));
    Artifacts objects(folder / "objects");
    ESPER_TRY(copied.objects, copy_objects(digests, *objects_, objects));
    return copied;
}

Result<Copied> DatabaseLibrary::copy_from(const fs::path& folder) {
    ESPER_CHECK_STATUS(may_change());
    const Scratch scratch;
    ESPER_TRY(const auto from, open_backup(folder / kDatabaseFile, scratch));
    Snapshot snapshot(*from);
    ESPER_CHECK_STATUS(snapshot.begin());
    if (const Status known = verify_ledger(*from, ring_, {}); !known)
        return fail(known.error().within(fmt::format(
            "{} is damaged, or was sealed by other keys than {} has; bring the folder of "
            "keys that you kept (ESPER_KEYS)",
            folder.string(), name_)));
    const auto refuse_filled = [&](Database& database) -> Status {
        ESPER_TRY(const auto last, last_entry(database));
        if (last.number == 0) return {};
        return fail(UrzaError::kConflict,
                    fmt::format("{} is not empty ({} entries in its ledger); a backup is restored "
                                "into a new library",
                                name_, last.number));
    };
    {
        ESPER_TRY(const auto database, reader());
        ESPER_CHECK_STATUS(refuse_filled(*database));
    }
    Copied copied;
    ESPER_TRY(const auto digests, needed_objects(*from));
    Artifacts objects(folder / "objects");
    ESPER_TRY(copied.objects, copy_objects(digests, objects, *objects_));
    const Status stored = write([&](Database& to) -> Status {
        ESPER_CHECK_STATUS(refuse_filled(to));
        ESPER_TRY(copied.rows, copy_tables(*from, to));
        return {};
    });
    if (!stored) return fail(stored.error());
    return copied;
}

Result<Copied> back_up(const std::string& address, const std::string& objects,
                       const fs::path& folder) {
    ESPER_TRY(const fs::path part, part_beside(folder));
    auto library = open_database_library(address, objects);
    auto copied = library ? (*library)->copy_into(part) : tl::unexpected(library.error());
    std::error_code error;
    if (copied) fs::rename(part, folder, error);
    if (copied && !error) return copied;
    std::error_code ignored;
    fs::remove_all(part, ignored);
    if (!copied) return copied;
    return fail(UrzaError::kReadOnly, fmt::format("{}: {}", folder.string(), error.message()));
}

Result<Copied> restore(const fs::path& folder, const std::string& address,
                       const std::string& objects) {
    std::error_code ignored;
    if (!fs::exists(folder / kDatabaseFile, ignored))
        return fail(UrzaError::kReadOnly,
                    fmt::format("{} holds no {}; name a folder that esper library backup made",
                                folder.string(), kDatabaseFile));
    ESPER_TRY(const auto library, open_database_library(address, objects));
    return library->copy_from(folder);
}

}  // namespace esper::urza
