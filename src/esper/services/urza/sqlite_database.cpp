#include "esper/services/urza/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "esper/services/urza/migrations.h"

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

class SqlitePrepared final : public Prepared {
  public:
    SqlitePrepared(SqliteDatabase& database, sqlite3_stmt* statement)
        : database_(database), statement_(statement) {}
    ~SqlitePrepared() override { sqlite3_finalize(statement_); }

    void bind_text(std::string_view text) override {
        sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8);
    }
    void bind_blob(std::string_view bytes) override {
        sqlite3_bind_blob64(statement_, ++bound_, bytes.empty() ? "" : bytes.data(), bytes.size(),
                            SQLITE_TRANSIENT);
    }
    void bind_integer(std::int64_t number) override {
        sqlite3_bind_int64(statement_, ++bound_, number);
    }
    void bind_real(std::optional<double> number) override {
        if (number) {
            sqlite3_bind_double(statement_, ++bound_, *number);
        } else {
            sqlite3_bind_null(statement_, ++bound_);
        }
    }
    Result<bool> step() override {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        if (code == SQLITE_DONE) return false;
        return database_.error(sqlite3_sql(statement_));
    }
    void reset() override {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
        bound_ = 0;
    }
    std::string text(int column) const override {
        const void* bytes = sqlite3_column_blob(statement_, column);
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
        return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size);
    }
    std::int64_t integer(int column) const override {
        return sqlite3_column_int64(statement_, column);
    }
    std::optional<double> real(int column) const override {
        if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
        return sqlite3_column_double(statement_, column);
    }

  private:
    SqliteDatabase& database_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
};

}  // namespace

Result<std::unique_ptr<Database>> SqliteDatabase::open(const std::filesystem::path& path,
                                                       Mode mode) {
    std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path));
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

SqliteDatabase::~SqliteDatabase() {
    forget_statements();
    sqlite3_close_v2(handle_);
}

Status SqliteDatabase::run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return error(sql.substr(0, 60));
    return {};
}

Result<std::unique_ptr<Prepared>> SqliteDatabase::compile(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
        const std::string said = sqlite3_errmsg(handle_);
        auto failed = error(sql);
        // A table or a column is missing. An older library that may only be read has fewer of them.
        if (code != SQLITE_ERROR || !is_up_to_date(*this).value_or(false)) return failed;
        return fail(UrzaError::kDamaged,
                    fmt::format("{}: its tables are damaged, {} ({}): {}", path_.string(), said,
                                sql, advice(UrzaError::kDamaged)));
    }
    return std::make_unique<SqlitePrepared>(*this, statement);
}

std::int64_t SqliteDatabase::changes() const { return sqlite3_changes64(handle_); }
bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

Result<std::int64_t> SqliteDatabase::version() {
    ESPER_TRY(auto select, prepare("PRAGMA user_version"));
    ESPER_CHECK_STATUS(select.step());
    return select.integer(0);
}

Status SqliteDatabase::set_version(std::int64_t version) {
    return run(fmt::format("PRAGMA user_version = {}", version));
}

Status SqliteDatabase::check_integrity() {
    ESPER_TRY(auto check, prepare("PRAGMA integrity_check(1)"));
    ESPER_CHECK_STATUS(check.step());
    if (check.text(0) == "ok") return {};
    return fail(UrzaError::kDamaged,
                fmt::format("the database's file: {}; restore it from a copy", check.text(0)));
}

tl::unexpected<Error> SqliteDatabase::error(std::string_view doing) const {
    const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
    const UrzaError kind = kind_of(code);
    return fail(kind, fmt::format("{}: {} ({}): {}", path_.string(),
                                  handle_ == nullptr ? "no memory" : sqlite3_errmsg(handle_), doing,
                                  advice(kind)));
}

}  // namespace esper::urza
