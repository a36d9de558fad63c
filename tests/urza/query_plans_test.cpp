#include <gtest/gtest.h>
#include <sqlite3.h>

#include <mutex>

#include "urza/databases.h"

// What the library asks often is answered by an index in both databases, however many kernels there
// are. The plans are those that the databases carried out.

namespace esper::urza {
namespace {

using esper::testing::DatabaseHome;
using esper::testing::PostgresHome;
using esper::testing::PostgresServer;
using esper::testing::SmallLibrary;

constexpr int kMany = 4000;

/// Many kernels of other blueprints, most of them out of use, with their verdicts, tags, reports
/// and ledger entries.
void fill(DatabaseHome& home) {
    const auto database = value_or_throw(home.database());
    const bool is_sqlite = database->dialect() == Dialect::kSqlite;
    const auto padded = [&](const std::string& letter) {
        return is_sqlite ? "'" + letter + "' || printf('%06d', i)"
                         : "'" + letter + "' || lpad(i::text, 6, '0')";
    };
    const std::string numbers =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < " +
        std::to_string(kMany) + ") ";
    const auto insert = [&](const std::string& what, const std::string& values,
                            const std::string& from = "n") {
        const Status done = database->run(
            is_sqlite ? "INSERT INTO " + what + " " + numbers + "SELECT " + values + " FROM " + from
                      : numbers + "INSERT INTO " + what + " SELECT " + values + " FROM " + from);
        ASSERT_TRUE(done) << done.error().to_string();
    };
    ASSERT_TRUE(database->begin());
    insert("blueprint (id, status, updated, record)", padded("b") + ", status, updated, record",
           "n, (SELECT * FROM blueprint LIMIT 1) AS one");
    insert(
        "kernel (id, blueprint, precision, status, latency, memory, object, manifest, forge_key, "
        "forge_signature, record)",
        padded("a") + ", " + padded("b") +
            ", precision, CASE WHEN i % 100 = 0 THEN 'VALIDATED' ELSE 'REJECTED' END, 100 + i, "
            "8, object, manifest, forge_key, forge_signature, record",
        "n, (SELECT * FROM kernel WHERE id = 'kernel-1') AS one");
    insert("verdict (kernel, statement, gauntlet_key, gauntlet_signature, report)",
           padded("a") + ", statement, gauntlet_key, gauntlet_signature, report",
           "n, (SELECT * FROM verdict LIMIT 1) AS one");
    insert("tag (tag, kernel)",
           "CASE WHEN i % 500 = 0 THEN 'rare' ELSE 'common' END, " + padded("a"));
    insert("field_run (id, host)", padded("r") + ", 'gpt'");
    insert("field_report (blueprint, record, run, seed)",
           padded("b") + ", '', " + padded("r") + ", 's'");
    insert("ledger (number, at, actor, action, subject, digest, hash)",
           "1000 + i, '', '', '', " + padded("a") + ", '', ''");
    if (!is_sqlite) insert("object (digest, content)", padded("o") + ", ''::bytea");
    ASSERT_TRUE(database->run("COMMIT"));
    ASSERT_TRUE(database->run("ANALYZE"));
}

/// What the controller, a server and a run ask. Answers do not matter: the copies are no kernels.
void ask_everything(Library& library, const KernelAsk& ask) {
    for (const char* after : {"", "a000010", "a003000"}) {
        (void)library.kernels({after, 50});
        (void)library.blueprints({after, 50});
    }
    (void)library.kernel("kernel-1");
    (void)library.fetch("kernel-1");
    (void)library.offers(ask);
    (void)library.why("kernel-1", ask);
    (void)library.ledger(3000, 50);
    (void)library.head();
    (void)library.reports("b000300");
    contracts::KernelQuery query;
    (void)library.query(query);
    query.required_tags = {"rare"};
    (void)library.query(query);
    query.excluded_tags = {"common"};
    query.max_latency_ms = 50;
    (void)library.query(query);
    query.blueprint_id = ask.branch;
    (void)library.query(query);
    (void)library.add_blueprint(esper::testing::submission(96));
}

/// Statements that stepped through a table without an index, of every connection made since.
class Scans {
  public:
    static void watch() {
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(open));
        const std::lock_guard lock(mutex());
        found().clear();
    }
    static std::vector<std::string> end() {
        sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(open));
        const std::lock_guard lock(mutex());
        return found();
    }

  private:
    static int open(sqlite3* database, const char**, const struct sqlite3_api_routines*) {
        return sqlite3_trace_v2(database, SQLITE_TRACE_PROFILE, note, nullptr);
    }
    static int note(unsigned, void*, void* traced, void*) {
        auto* statement = static_cast<sqlite3_stmt*>(traced);
        constexpr int kOfOneRow = 2;
        if (sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1) > kOfOneRow) {
            const std::lock_guard lock(mutex());
            found().push_back(sqlite3_sql(statement));
        }
        return 0;
    }
    static std::vector<std::string>& found() {
        static std::vector<std::string> all;
        return all;
    }
    static std::mutex& mutex() {
        static std::mutex one;
        return one;
    }
};

KernelAsk filled(SmallLibrary& library) {
    library.add("kernel-1");
    EXPECT_TRUE(library.validate("kernel-1"));
    auto ask = library.ask();
    fill(library.database_home());
    library.close();
    return ask;
}

TEST(QueryPlans, OfSqliteScanNoTable) {
    SmallLibrary library;
    const auto ask = filled(library);
    Scans::watch();
    library.reopen();
    ask_everything(*library, ask);
    library.close();
    const auto scans = Scans::end();
    EXPECT_TRUE(scans.empty()) << scans.size() << ", first: " << scans.front();
    // The test would see one.
    Scans::watch();
    library.database_home().sql("SELECT count(record || 'x') FROM kernel WHERE memory > 7");
    EXPECT_EQ(Scans::end().size(), 1u);
}

TEST(QueryPlans, OfPostgresScanNoTable) {
    if (const std::string why = PostgresHome::missing(); !why.empty()) GTEST_SKIP() << why;
    auto made = std::make_unique<PostgresHome>();
    PostgresHome& home = *made;
    SmallLibrary library(std::move(made));
    const auto ask = filled(library);
    const auto address = home.address(
        "-csession_preload_libraries=auto_explain%20-cauto_explain.log_min_duration=0");
    const auto scans_since = [&](std::size_t begin) {
        const std::string log = PostgresServer::instance().log().substr(begin);
        std::vector<std::string> found;
        for (const char* table : {"kernel", "blueprint", "verdict", "tag", "ledger", "field_report",
                                  "field_run", "object"})
            if (const auto at = log.find(std::string("Seq Scan on ") + table + " ");
                at != std::string::npos)
                found.push_back(log.substr(log.rfind("Query Text", at), 3000));
        return found;
    };
    auto begin = PostgresServer::instance().log().size();
    {
        const auto watched = *home.open_at(address);
        ask_everything(*watched, ask);
    }
    const auto log = PostgresServer::instance().log().substr(begin);
    EXPECT_NE(log.find("Index Scan using kernel_pkey"), std::string::npos) << "plans are logged";
    const auto scans = scans_since(begin);
    EXPECT_TRUE(scans.empty()) << scans.size() << ", first: " << scans.front();
    begin = PostgresServer::instance().log().size();
    (void)(*PostgresDatabase::open(address, PostgresDatabase::Mode::kReadWrite))
        ->run("SELECT count(record || 'x') FROM kernel WHERE memory > 7");
    EXPECT_EQ(scans_since(begin).size(), 1u) << "the test would see one";
}

}  // namespace
}  // namespace esper::urza
