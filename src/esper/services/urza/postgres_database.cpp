#include "esper/services/urza/postgres_database.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "esper/base/fault_points.h"
#include "esper/services/urza/libpq.h"
#include "esper/services/urza/postgres_prepared.h"

namespace esper::urza {
namespace {

constexpr int kOldestServer = 150000;
/// Of the advisory lock under which the library is changed; its second half is the schema's.
constexpr int kLock = 0x75727a61;

PGconn* as_connection(void* connection) { return static_cast<PGconn*>(connection); }

UrzaError kind_of(std::string_view state) {
    if (state.starts_with("08") || state.starts_with("57P") || state.starts_with("28") ||
        state == "53300" || state == "3D000")
        return UrzaError::kUnreachable;
    if (state == "53100") return UrzaError::kDiskFull;
    if (state == "42501" || state == "25006") return UrzaError::kReadOnly;
    if (state.starts_with("XX")) return UrzaError::kDamaged;
    return UrzaError::kDatabase;
}

std::string_view server_advice(UrzaError kind) {
    switch (kind) {
        case UrzaError::kUnreachable:
            return "see that the server runs and lets this user in, then try again";
        case UrzaError::kDiskFull:
            return "the server's disk is full; make room there. Nothing was changed";
        case UrzaError::kReadOnly:
            return "this user may not write there; GRANT it the right to. Nothing was changed";
        case UrzaError::kDamaged:
            return "restore the database from a copy";
        default:
            return "nothing was changed; see the server's log";
    }
}

/// What the server says ends with a newline, and may have several lines.
std::string one_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (char& c : text) c = c == '\n' || c == '\t' ? ' ' : c;
    return text;
}

/// Limits that nobody set, and the forms in which values come back.
std::string settings(bool reads_only) {
    const auto unless_set = [](const char* name, const char* value) {
        return fmt::format(
            "set_config('{0}', CASE current_setting('{0}') WHEN '0' THEN '{1}' ELSE "
            "current_setting('{0}') END, false)",
            name, value);
    };
    return fmt::format(
        "SELECT {}, {}, {}, set_config('bytea_output', 'hex', false), "
        "set_config('standard_conforming_strings', 'on', false), "
        "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' "
        "THEN 'on' ELSE current_setting('synchronous_commit') END, false), "
        "set_config('default_transaction_read_only', CASE WHEN {} THEN 'on' ELSE "
        "current_setting('default_transaction_read_only') END, false), "
        "current_setting('server_version_num')",
        unless_set("statement_timeout", "30s"), unless_set("lock_timeout", "20s"),
        unless_set("idle_in_transaction_session_timeout", "60s"), reads_only ? "true" : "false");
}

}  // namespace

PostgresDatabase::PostgresDatabase(const Libpq& pq, std::string address, Mode mode)
    : pq_(pq), address_(std::move(address)), mode_(mode) {}

PostgresDatabase::~PostgresDatabase() {
    forget_statements();
    disconnect();
}

Result<std::unique_ptr<Database>> PostgresDatabase::open(const std::string& address, Mode mode) {
    ESPER_TRY(const Libpq* pq, libpq());
    std::unique_ptr<PostgresDatabase> database(new PostgresDatabase(*pq, address, mode));
    ESPER_CHECK_STATUS(database->connect());
    return database;
}

void PostgresDatabase::disconnect() {
    if (connection_ != nullptr) pq_.finish(as_connection(std::exchange(connection_, nullptr)));
}

Status PostgresDatabase::connect() {
    // What stands before dbname may be set by the address.
    constexpr auto kNames = std::to_array<const char*>(
        {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
         "tcp_user_timeout", "fallback_application_name", "dbname", "client_encoding", nullptr});
    const auto values = std::to_array<const char*>(
        {"10", "30", "10", "3", "30000", "esper", address_.c_str(), "UTF8", nullptr});
    static FaultPoint unreachable{"urza.no_connection"};
    disconnect();
    ++generation_;
    if (unreachable.fires())
        return fail(UrzaError::kUnreachable,
                    fmt::format("{}: fault point; {}", without_password(address_),
                                server_advice(UrzaError::kUnreachable)));
    connection_ = pq_.connect(kNames.data(), values.data(), 1);
    if (connection_ == nullptr || pq_.status(as_connection(connection_)) != CONNECTION_OK) {
        const std::string why =
            connection_ == nullptr ? "no memory" : pq_.error_message(as_connection(connection_));
        disconnect();
        return fail(UrzaError::kUnreachable,
                    fmt::format("{}: {}; {}", without_password(address_), one_line(why),
                                server_advice(UrzaError::kUnreachable)));
    }
    pq_.set_notice_processor(
        as_connection(connection_), [](void*, const char*) {}, nullptr);
    PGresult* set =
        pq_.exec(as_connection(connection_), settings(mode_ == Mode::kReadOnly).c_str());
    if (pq_.result_status(set) != PGRES_TUPLES_OK) return error(set, "settings");
    constexpr int kVersionColumn = 7;
    const int server = std::atoi(pq_.value(set, 0, kVersionColumn));
    pq_.clear(set);
    if (server >= kOldestServer) return {};
    return fail(UrzaError::kBadAddress,
                fmt::format("{}: PostgreSQL {} is too old; the library needs 15 or newer",
                            without_password(address_), server / 10000));
}

Status PostgresDatabase::reconnect() { return connect(); }

bool PostgresDatabase::is_connected() const {
    return connection_ != nullptr && pq_.status(as_connection(connection_)) == CONNECTION_OK;
}

bool PostgresDatabase::is_back(const Status& asked) {
    return !asked && asked.error().is(UrzaError::kUnreachable) && mode_ == Mode::kReadOnly &&
           connect().has_value();
}

tl::unexpected<Error> PostgresDatabase::error(void* result, std::string_view doing) {
    auto* failed = static_cast<PGresult*>(result);
    const char* state =
        failed == nullptr ? nullptr : pq_.result_error_field(failed, PG_DIAG_SQLSTATE);
    std::string message = one_line(failed == nullptr ? pq_.error_message(as_connection(connection_))
                                                     : pq_.result_error_message(failed));
    UrzaError kind = state == nullptr ? UrzaError::kUnreachable : kind_of(state);
    if (failed != nullptr) pq_.clear(failed);
    // One that the server ended is still open on this side.
    if (!is_connected()) kind = UrzaError::kUnreachable;
    if (kind == UrzaError::kUnreachable) disconnect();
    return fail(kind, fmt::format("{}: {} ({}): {}", without_password(address_), message, doing,
                                  server_advice(kind)));
}

Status PostgresDatabase::run(const std::string& sql) {
    static FaultPoint lost_answer{"urza.lost_commit_answer"};
    const std::string doing = sql.substr(0, 60);
    const auto once = [&]() -> Status {
        if (connection_ == nullptr)
            return fail(
                UrzaError::kUnreachable,
                fmt::format("{}: the connection was lost ({}); {}", without_password(address_),
                            doing, server_advice(UrzaError::kUnreachable)));
        PGresult* done = pq_.exec(as_connection(connection_), sql.c_str());
        const auto status = pq_.result_status(done);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error(done, doing);
        // The answer to the COMMIT of a transaction in which something failed.
        const bool rolled_back =
            sql == "COMMIT" && std::string_view(pq_.command_status(done)) == "ROLLBACK";
        pq_.clear(done);
        if (!rolled_back) return {};
        return fail(UrzaError::kDatabase,
                    fmt::format("{}: a statement of the transaction failed, so it was undone: {}",
                                without_password(address_), server_advice(UrzaError::kDatabase)));
    };
    Status done = once();
    if (done && sql == "COMMIT" && lost_answer.fires()) {
        disconnect();
        return once();
    }
    return done;
}

Status PostgresDatabase::begin() {
    // Whatever the user's default is: each statement sees what others committed before the lock.
    return run(
        fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT "
                    "pg_advisory_xact_lock({}, hashtext(current_schema()))",
                    kLock));
}

bool PostgresDatabase::in_transaction() const {
    if (!is_connected()) return false;
    const auto status = pq_.transaction_status(as_connection(connection_));
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

Result<std::int64_t> PostgresDatabase::version() {
    {
        // Read as a table: to_regclass() may answer from before the wait for another's migration.
        ESPER_TRY(auto exists,
                  prepare("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND "
                          "tablename = 'library_version'"));
        ESPER_CHECK_STATUS(exists.step());
        if (exists.integer(0) == 0) return 0;
    }
    ESPER_TRY(auto select, prepare("SELECT version FROM library_version"));
    ESPER_TRY(const bool found, select.step());
    return found ? select.integer(0) : 0;
}

Status PostgresDatabase::set_version(std::int64_t version) {
    ESPER_CHECK_STATUS(
        run("CREATE TABLE IF NOT EXISTS library_version (one INTEGER PRIMARY KEY CHECK (one = 1), "
            "version BIGINT NOT NULL)"));
    return run(
        fmt::format("INSERT INTO library_version (one, version) VALUES (1, {0}) ON CONFLICT "
                    "(one) DO UPDATE SET version = {0}",
                    version));
}

Result<std::unique_ptr<Prepared>> PostgresDatabase::compile(const std::string& sql) {
    return std::make_unique<PostgresPrepared>(*this, numbered_placeholders(sql),
                                              fmt::format("s{}", ++names_));
}

bool is_postgres(std::string_view address) {
    return address.starts_with("postgresql://") || address.starts_with("postgres://");
}

std::string without_password(std::string_view address) {
    std::string text(address);
    const auto begin = text.find("://");
    const auto end = text.find_first_of("/?", begin == std::string::npos ? 0 : begin + 3);
    const auto at = text.rfind('@', end);
    if (begin != std::string::npos && at != std::string::npos && at > begin) {
        const auto colon = text.find(':', begin + 3);
        if (colon < at) text.replace(colon, at - colon, ":…");
    }
    if (const auto word = text.find("password="); word != std::string::npos) {
        const auto value = word + std::string_view("password=").size();
        text.replace(value, std::min(text.find('&', value), text.size()) - value, "…");
    }
    return text;
}

std::string numbered_placeholders(std::string_view sql) {
    std::string text;
    int number = 0;
    bool is_quoted = false;
    for (const char c : sql) {
        if (c == '\'') is_quoted = !is_quoted;
        if (c == '?' && !is_quoted)
            text += fmt::format("${}", ++number);
        else
            text += c;
    }
    return text;
}

}  // namespace esper::urza
