#include "esper/services/urza/sqlite_library.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "esper/services/urza/file_system.h"
#include "esper/services/urza/migrations.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFile = "urza.sqlite";

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

Status SqliteLibrary::prepare() {
    ESPER_CHECK_STATUS(make_private_folder(folder_));
    ESPER_CHECK_STATUS(refuse_network(folder_));
    const execution::KeyFolder keys(execution::KeyFolder::default_path(folder_), clock_);
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

SqliteLibrary::Reader::~Reader() {
    if (database_ == nullptr) return;
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
    ESPER_TRY(auto database, Database::open(folder_ / kFile, Database::Mode::kReadOnly));
    return Reader(*this, std::move(database));
}

Status SqliteLibrary::write(GroupCommit::Change change) {
    if (writer_) return writer_->write(std::move(change));
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
