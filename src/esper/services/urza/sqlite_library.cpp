#include "esper/services/urza/sqlite_library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "esper/services/urza/file_system.h"
#include "esper/services/urza/migrations.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFile = "urza.sqlite";

/// Whether this user may change the library: SQLite writes the file, and its journals beside it.
bool is_writable(const fs::path& folder) {
    const auto is_denied = [](const fs::path& path) {
        return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno != ENOENT;
    };
    return !is_denied(folder) && !is_denied(folder / kFile);
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
    const fs::path file = folder / kFile;
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

}  // namespace

std::string default_library_path() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return value == nullptr ? fs::path() : fs::path(value);
    };
    if (const auto chosen = variable("ESPER_LIBRARY"); !chosen.empty()) return chosen;
    if (const auto data = variable("XDG_DATA_HOME"); !data.empty()) return data / "esper/library";
    return variable("HOME") / ".local/share/esper/library";
}

Result<std::unique_ptr<Library>> open_library(const std::string& path) {
    ESPER_TRY(auto library, SqliteLibrary::open(path.empty() ? default_library_path() : path));
    return std::unique_ptr<Library>(std::move(library));
}

Result<std::unique_ptr<SqliteLibrary>> SqliteLibrary::open(const fs::path& folder, Clock& clock) {
    std::unique_ptr<SqliteLibrary> library(new SqliteLibrary(folder, clock));
    ESPER_CHECK_STATUS(library->prepare());
    return library;
}

Result<std::unique_ptr<Library>> open_library_to_read(const std::string& path) {
    ESPER_TRY(auto library, SqliteLibrary::open_as_reader(path));
    return std::unique_ptr<Library>(std::move(library));
}

Result<std::unique_ptr<SqliteLibrary>> SqliteLibrary::open_as_reader(const fs::path& folder,
                                                                     Clock& clock) {
    std::unique_ptr<SqliteLibrary> library(new SqliteLibrary(folder, clock));
    library->may_write_ = is_writable(folder);
    library->to_look_at_ = true;
    const execution::KeyFolder keys(execution::KeyFolder::default_path(folder), clock);
    ESPER_CHECK_STATUS(library->prepare_to_read(keys));
    return library;
}

Status SqliteLibrary::prepare() {
    ESPER_CHECK_STATUS(make_private_folder(folder_));
    ESPER_CHECK_STATUS(refuse_network(folder_));
    const execution::KeyFolder keys(execution::KeyFolder::default_path(folder_), clock_);
    may_write_ = is_writable(folder_);
    if (!may_write_) return prepare_to_read(keys);
    ESPER_CHECK_STATUS(refuse_emptied(folder_));
    ESPER_CHECK_STATUS(keys.make_missing());
    ESPER_TRY(ring_, keys.ring());
    auto database = Database::open(folder_ / kFile, Database::Mode::kReadWrite);
    std::error_code ignored;
    const bool there = fs::exists(folder_ / kFile, ignored);
    if (!database && there && database.error().is(UrzaError::kReadOnly)) {
        ESPER_TRY(const auto checked, Database::open(folder_ / kFile, Database::Mode::kReadOnly));
        return check_version(*checked);
    }
    if (!database) return fail(database.error());
    ESPER_CHECK_STATUS(migrate(**database));
    ESPER_TRY(signer_, keys.signer(execution::KeyRole::kLibrary));
    writer_ = std::make_unique<GroupCommit>(
        std::move(*database), [this](Database& changed) { return sign_head(changed, *signer_); });
    return {};
}

Status SqliteLibrary::prepare_to_read(const execution::KeyFolder& keys) {
    if (size_of(folder_ / kFile) == 0)
        return fail(UrzaError::kReadOnly,
                    may_write_
                        ? folder_.string() + " holds no library"
                        : fmt::format("{} holds no library and cannot be written by this user; set "
                                      "ESPER_LIBRARY to another folder",
                                      folder_.string()));
    ESPER_TRY(ring_, keys.ring());
    ESPER_TRY(const auto database, open_to_read());
    return check_version(*database);
}

// SQLite reads a file in WAL mode by its journals, which it makes where they are missing. Where it
// may not, the file can be read as it stands, if no journal holds a part of it.
Result<std::unique_ptr<Database>> SqliteLibrary::open_to_read() const {
    const bool is_whole = size_of(folder_ / (std::string(kFile) + "-wal")) == 0;
    return Database::open(folder_ / kFile, !may_write_ && is_whole ? Database::Mode::kSettled
                                                                   : Database::Mode::kReadOnly);
}

SqliteLibrary::Reader::~Reader() {
    // What another user writes meanwhile is seen by the next connection only.
    if (database_ == nullptr || !library_->may_write_) return;
    const std::lock_guard lock(library_->mutex_);
    library_->idle_.push_back(std::move(database_));
}

Result<SqliteLibrary::Reader> SqliteLibrary::reader() {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto database = std::move(idle_.back());
            idle_.pop_back();
            return Reader(*this, std::move(database));
        }
    }
    ESPER_TRY(auto database, open_to_read());
    return Reader(*this, std::move(database));
}

Status SqliteLibrary::write(GroupCommit::Change change) {
    ESPER_CHECK_STATUS(may_change());
    return writer_->write(std::move(change));
}

Status SqliteLibrary::may_change() const {
    if (writer_) return {};
    if (to_look_at_)
        return fail(UrzaError::kReadOnly, folder_.string() + " was opened to be looked at");
    return fail(UrzaError::kReadOnly,
                fmt::format("{} cannot be written by this user; give it the right to, or set "
                            "ESPER_LIBRARY to another folder",
                            folder_.string()));
}

std::uint64_t SqliteLibrary::commits() const { return writer_ ? writer_->commits() : 0; }

Result<std::vector<LedgerEntry>> SqliteLibrary::ledger(std::uint64_t after, std::uint32_t limit) {
    ESPER_TRY(const auto database, reader());
    return read_entries(*database, after, limit);
}

Result<LedgerHead> SqliteLibrary::head() {
    ESPER_TRY(const auto database, reader());
    return read_head(*database, ring_);
}

}  // namespace esper::urza
