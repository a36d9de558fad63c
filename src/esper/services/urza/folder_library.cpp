#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/file_system.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/library_copy.h"
#include "esper/services/urza/library_keys.h"
#include "esper/services/urza/migrations.h"
#include "esper/services/urza/sqlite_database.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;

/// Whether this user may change the library: SQLite writes the file, and its journals beside it.
bool is_writable(const fs::path& folder) {
    const auto is_denied = [](const fs::path& path) {
        return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno != ENOENT;
    };
    return !is_denied(folder) && !is_denied(folder / kDatabaseFile);
}

std::uint64_t size_of(const fs::path& file) {
    std::error_code missing;
    const auto size = fs::file_size(file, missing);
    return missing ? 0 : size;
}

/// A file without a byte holds no library, but may have: a new one in its place would hide that
/// everything is gone. SQLite writes the first page right after it has made the file.
Status refuse_emptied(const fs::path& folder) {
    constexpr auto kWait = std::chrono::milliseconds(20);
    constexpr int kTries = 50;
    std::error_code ignored;
    const fs::path file = folder / kDatabaseFile;
    const bool has_objects = !fs::is_empty(folder / "objects", ignored) && !ignored;
    for (int i = 0; i < kTries && fs::exists(file, ignored) && size_of(file) == 0; ++i)
        std::this_thread::sleep_for(kWait);
    const bool is_there = fs::exists(file, ignored);
    if (is_there ? size_of(file) > 0 : !has_objects) return {};
    return fail(UrzaError::kDamaged,
                fmt::format("{} {}; restore it from a copy, or, to begin with an empty library, "
                            "move {} away",
                            file.string(),
                            is_there ? "is empty, so it was cut off, or its making was"
                                       " interrupted"
                                     : "is not there, but objects of kernels are",
                            folder.string()));
}

/// SQLite reads a file in WAL mode by its journals, which it makes where they are missing. Where it
/// may not, the file can be read as it stands, if no journal holds a part of it.
Result<std::unique_ptr<Database>> open_to_read(const fs::path& folder, bool may_write) {
    const bool is_whole = size_of(folder / (std::string(kDatabaseFile) + "-wal")) == 0;
    return SqliteDatabase::open(folder / kDatabaseFile, !may_write && is_whole
                                                            ? SqliteDatabase::Mode::kSettled
                                                            : SqliteDatabase::Mode::kReadOnly);
}

DatabaseLibrary::Parts parts_of(const fs::path& folder, bool may_write) {
    DatabaseLibrary::Parts parts;
    parts.name = folder.string();
    parts.connect_to_read = [folder, may_write] { return open_to_read(folder, may_write); };
    // What another user writes meanwhile is seen by the next connection only.
    parts.keeps_readers = may_write;
    parts.why_not =
        "cannot be written by this user; give it the right to, or set ESPER_LIBRARY to another "
        "folder";
    parts.objects = std::make_unique<Artifacts>(folder / "objects");
    return parts;
}

Result<std::unique_ptr<DatabaseLibrary>> as_reader(const fs::path& folder, bool may_write,
                                                   DatabaseLibrary::Parts parts, Clock& clock) {
    if (size_of(folder / kDatabaseFile) == 0)
        return fail(UrzaError::kReadOnly,
                    may_write ? folder.string() + " holds no library"
                              : fmt::format("{} holds no library and cannot be written by this "
                                            "user; set ESPER_LIBRARY to another folder",
                                            folder.string()));
    const execution::KeyFolder keys(execution::KeyFolder::default_path(folder), clock);
    ESPER_TRY(parts.ring, keys.ring());
    ESPER_TRY(const auto database, parts.connect_to_read());
    ESPER_CHECK_STATUS(check_version(*database));
    return std::make_unique<DatabaseLibrary>(std::move(parts), clock);
}

}  // namespace

Result<std::unique_ptr<DatabaseLibrary>> open_folder_library(const fs::path& folder, Clock& clock) {
    ESPER_CHECK_STATUS(make_private_folder(folder));
    ESPER_CHECK_STATUS(refuse_network(folder));
    const bool may_write = is_writable(folder);
    auto parts = parts_of(folder, may_write);
    if (!may_write) return as_reader(folder, may_write, std::move(parts), clock);
    ESPER_CHECK_STATUS(refuse_emptied(folder));
    const execution::KeyFolder keys(execution::KeyFolder::default_path(folder), clock);
    if (size_of(folder / kDatabaseFile) > 0 && !keys_are_there(keys)) {
        ESPER_TRY(const auto there, parts.connect_to_read());
        const auto last = last_entry(*there);
        if (last && last->number > 0) return fail(no_keys(folder.string(), keys));
    }
    ESPER_CHECK_STATUS(keys.make_missing());
    ESPER_TRY(parts.ring, keys.ring());
    auto signer = keys.signer(execution::KeyRole::kLibrary);
    if (!signer && signer.error().is(execution::TrustError::kNoKey) &&
        size_of(folder / kDatabaseFile) > 0) {
        // A backup, or a copy on a machine that was not given the key.
        parts.why_not = fmt::format("can be read only: {}", signer.error().message());
        return as_reader(folder, may_write, std::move(parts), clock);
    }
    if (!signer) return fail(signer.error());
    parts.signer = std::move(*signer);
    auto database = SqliteDatabase::open(folder / kDatabaseFile, SqliteDatabase::Mode::kReadWrite);
    std::error_code ignored;
    const bool there = fs::exists(folder / kDatabaseFile, ignored);
    if (!database && there && database.error().is(UrzaError::kReadOnly))
        return as_reader(folder, may_write, std::move(parts), clock);
    if (!database) return fail(database.error());
    ESPER_CHECK_STATUS(migrate(**database));
    if (is_sealed_by_others(**database, parts.ring)) {
        parts.why_not = sealed_by_others(keys);
        return as_reader(folder, may_write, std::move(parts), clock);
    }
    parts.writer = std::move(*database);
    return std::make_unique<DatabaseLibrary>(std::move(parts), clock);
}

Result<std::unique_ptr<DatabaseLibrary>> open_folder_library_to_read(const fs::path& folder,
                                                                     Clock& clock) {
    const bool may_write = is_writable(folder);
    auto parts = parts_of(folder, may_write);
    parts.why_not = "was opened to be looked at";
    return as_reader(folder, may_write, std::move(parts), clock);
}

}  // namespace esper::urza
