#include "esper/services/urza/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace esper::urza {
namespace {

/// How long a connection waits for another process that writes.
constexpr int kBusyMilliseconds = 20000;

UrzaError kind_of(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return UrzaError::kDiskFull;
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return UrzaError::kReadOnly;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return UrzaError::kDamaged;
        default:
            return UrzaError::kDatabase;
    }
}

std::string_view advice(UrzaError kind) {
    switch (kind) {
        case UrzaError::kDiskFull:
            return "the disk is full; make room (esper library gc), or set ESPER_LIBRARY to a "
                   "folder on another disk. Nothing was changed";
        case UrzaError::kReadOnly:
            return "it cannot be written here; give this user the right to, or set ESPER_LIBRARY "
                   "to "
                   "another folder. Nothing was changed";
        case UrzaError::kDamaged:
            return "restore it from a copy; kernels can be made again with esper forge --all";
        default:
            return "nothing was changed; look at the disk (dmesg) and try again";
    }
}

/// With it SQLite opens a file in WAL mode without making its journals beside it.
std::string settled_uri(const std::filesystem::path& path) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(path).string()) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_' ||
                              c == '.';
        uri += is_plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
    return uri + "?immutable=1";
}

}  // namespace

Statement::Statement(Database* database, sqlite3_stmt* statement, std::string sql)
    : database_(database), statement_(statement), sql_(std::move(sql)) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      sql_(std::move(other.sql_)),
      bound_(other.bound_) {}

Statement::~Statement() {
    if (statement_ != nullptr) database_->give_back(sql_, statement_);
}

Statement& Statement::bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    sqlite3_bind_blob64(statement_, ++bound_, bytes.empty() ? "" : bytes.data(), bytes.size(),
                        SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
}

Statement& Statement::bind(std::optional<double> number) {
    if (number) {
        sqlite3_bind_double(statement_, ++bound_, *number);
    } else {
        sqlite3_bind_null(statement_, ++bound_);
    }
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return database_->error(sql_);
}

Status Statement::run() {
    ESPER_CHECK_STATUS(step());
    return {};
}

std::string Statement::text(int column) const {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::optional<double> Statement::real(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(statement_, column);
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path, Mode mode) {
    std::unique_ptr<Database> database(new Database(path));
    const bool writes = mode == Mode::kReadWrite;
    const bool settled = mode == Mode::kSettled;
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | (settled ? SQLITE_OPEN_URI : 0) |
                      (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    const std::string name = settled ? settled_uri(path) : path.string();
    if (sqlite3_open_v2(name.c_str(), &database->handle_, flags, nullptr) != SQLITE_OK)
        return database->error("open");
    sqlite3_extended_result_codes(database->handle_, 1);
    sqlite3_busy_timeout(database->handle_, kBusyMilliseconds);
    sqlite3_db_config(database->handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database->handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    ESPER_CHECK_STATUS(
        database->run("PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                      "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;"));
    if (writes) ESPER_CHECK_STATUS(database->run("PRAGMA journal_mode = WAL;"));
    return database;
}

Database::~Database() {
    for (const auto& [sql, statements] : idle_)
        for (auto* statement : statements) sqlite3_finalize(statement);
    sqlite3_close_v2(handle_);
}

Status Database::run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return error(sql.substr(0, 60));
    return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
    auto& idle = idle_[sql];
    if (!idle.empty()) {
        auto* statement = idle.back();
        idle.pop_back();
        return Statement(this, statement, sql);
    }
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
        return error(sql);
    return Statement(this, statement, sql);
}

void Database::give_back(const std::string& sql, sqlite3_stmt* statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    idle_[sql].push_back(statement);
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

tl::unexpected<Error> Database::error(std::string_view doing) const {
    const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
    const UrzaError kind = kind_of(code);
    return fail(kind, fmt::format("{}: {} ({}): {}", path_.string(),
                                  handle_ == nullptr ? "no memory" : sqlite3_errmsg(handle_), doing,
                                  advice(kind)));
}

}  // namespace esper::urza
