#include <gtest/gtest.h>

#include <thread>

#include "esper/base/fault_points.h"
#include "esper/services/urza/group_commit.h"
#include "esper/services/urza/migrations.h"
#include "esper/services/urza/row_objects.h"
#include "urza/postgres_server.h"
#include "urza/small_library.h"

// What only a library in PostgreSQL has: a server that goes away, other users, other writers.

namespace esper::urza {
namespace {

using esper::testing::PostgresHome;
using esper::testing::PostgresServer;
using esper::testing::SmallLibrary;
using esper::testing::submission;

constexpr const char* kEndAll =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
    "backend_type = 'client backend'";

class PostgresLibraryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (const std::string why = PostgresHome::missing(); !why.empty()) GTEST_SKIP() << why;
    }
    void TearDown() override { FaultPoints::disarm_all(); }
    static PostgresServer& server() { return PostgresServer::instance(); }
};

TEST_F(PostgresLibraryTest, SeveralThatStartAtOnceMakeTheTablesOnce) {
    PostgresHome home;
    ::setenv("ESPER_KEYS", home.keys().path().c_str(), 1);
    std::vector<std::thread> threads;
    std::atomic<int> opened = 0;
    for (int i = 0; i < 6; ++i)
        threads.emplace_back([&] {
            auto library = open_postgres_library(home.address());
            EXPECT_TRUE(library) << library.error().to_string();
            if (library && (*library)->add_blueprint(submission(64))) ++opened;
        });
    for (auto& thread : threads) thread.join();
    ::unsetenv("ESPER_KEYS");
    EXPECT_EQ(opened, 6);
    const auto library = *home.open();
    EXPECT_EQ(library->head()->number, 1u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_F(PostgresLibraryTest, SeveralProcessesWriteOneLedger) {
    PostgresHome home;
    const auto one = *home.open();
    const auto two = *home.open_at(home.address("-cdefault_transaction_isolation=serializable"));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            Library& mine = t % 2 == 0 ? *one : *two;
            for (int i = 0; i < 5; ++i)
                EXPECT_TRUE(mine.add_blueprint(submission(100 + 5 * t + i)));
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(one->head()->number, 20u);
    EXPECT_TRUE(two->verify({})->empty());
}

TEST_F(PostgresLibraryTest, AConnectionThatWasEndedIsMadeAgainForReadsAndChanges) {
    SmallLibrary library(std::make_unique<PostgresHome>());
    library.add("kernel-1");
    server().sql(kEndAll);
    EXPECT_EQ(library->kernels({})->size(), 1u);
    EXPECT_TRUE(library->fetch("kernel-1"));
    ASSERT_TRUE(library.validate("kernel-1"));
    server().sql(kEndAll);
    ASSERT_TRUE(library->add_blueprint(submission(32)));
    EXPECT_EQ(library->head()->number, 4u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_F(PostgresLibraryTest, AChangeWhoseConnectionIsLostHalfwayIsMadeOnce) {
    PostgresHome home;
    ASSERT_TRUE(home.open());
    int calls = 0;
    GroupCommit writer(*home.database(), [](Database&) { return Status{}; });
    const Status done = writer.write([&](Database& database) -> Status {
        ESPER_CHECK_STATUS(append_entry(database, 0, {"a test", "add", "x", ""}));
        if (++calls == 1)
            ESPER_CHECK_STATUS(database.run("SELECT pg_terminate_backend(pg_backend_pid())"));
        return {};
    });
    EXPECT_TRUE(done) << done.error().to_string();
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(last_entry(**home.database())->number, 1u);
}

TEST_F(PostgresLibraryTest, ACommitWhoseAnswerIsLostIsFoundInTheLedger) {
    SmallLibrary library(std::make_unique<PostgresHome>());
    ASSERT_TRUE(FaultPoints::arm("urza.lost_commit_answer@1"));
    ASSERT_TRUE(library->add_blueprint(submission(64)));
    EXPECT_EQ(FaultPoints::fired("urza.lost_commit_answer"), 1u);
    EXPECT_EQ(library->head()->number, 1u);
    ASSERT_TRUE(library->add_blueprint(submission(32)));
    EXPECT_EQ(library->head()->number, 2u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_F(PostgresLibraryTest, WhereNobodyCanBeAskedTheFateOfACommitIsUnknown) {
    SmallLibrary library(std::make_unique<PostgresHome>());
    ASSERT_TRUE(library->head()) << "its connection for reading is made before";
    ASSERT_TRUE(FaultPoints::arm("urza.lost_commit_answer@1,urza.no_connection@1"));
    const auto lost = library->add_blueprint(submission(64));
    ASSERT_FALSE(lost);
    ASSERT_TRUE(lost.error().is(UrzaError::kUnknownFate)) << lost.error().to_string();
    EXPECT_NE(lost.error().message().find("again is safe"), std::string::npos);
    EXPECT_TRUE(library->add_blueprint(submission(64)));
    EXPECT_EQ(library->head()->number, 1u) << "it was done the first time";
}

TEST_F(PostgresLibraryTest, AServerThatStopsIsNamedAndUsedAgainWhenItIsBack) {
    SmallLibrary library(std::make_unique<PostgresHome>());
    library.add("kernel-1");
    server().stop();
    const auto read = library->kernels({});
    ASSERT_TRUE(read.error().is(UrzaError::kUnreachable)) << read.error().to_string();
    EXPECT_NE(read.error().message().find("server runs"), std::string::npos);
    EXPECT_TRUE(library->add_blueprint(submission(32)).error().is(UrzaError::kUnreachable));
    EXPECT_TRUE(library->fetch("kernel-1").error().is(UrzaError::kUnreachable));
    server().start();
    EXPECT_EQ(library->kernels({})->size(), 1u);
    EXPECT_TRUE(library->add_blueprint(submission(32)));
    EXPECT_TRUE(library->fetch("kernel-1"));
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_F(PostgresLibraryTest, AUserWhoMayOnlyReadReads) {
    auto made = std::make_unique<PostgresHome>();
    PostgresHome& home = *made;
    SmallLibrary library(std::move(made));
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    const auto ask = library.ask();
    library.sql("CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA " + home.schema() +
                " TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA " + home.schema() + " TO reader");
    {
        const auto reader = home.open_at(server().address(home.schema(), "", "reader"));
        ASSERT_TRUE(reader) << reader.error().to_string();
        EXPECT_EQ((*reader)->offers(ask)->size(), 1u);
        EXPECT_TRUE((*reader)->fetch("kernel-1"));
        EXPECT_TRUE((*reader)->verify({})->empty());
        const auto refused = (*reader)->add_blueprint(submission(32));
        ASSERT_TRUE(refused.error().is(UrzaError::kReadOnly));
        EXPECT_NE(refused.error().message().find("GRANT"), std::string::npos);
    }
    library.sql("DROP OWNED BY reader; DROP ROLE reader");
}

TEST_F(PostgresLibraryTest, AUserWhoOwnsNothingWritesWhereItMay) {
    auto made = std::make_unique<PostgresHome>();
    PostgresHome& home = *made;
    SmallLibrary library(std::move(made));
    library.sql("CREATE ROLE writer LOGIN; GRANT USAGE ON SCHEMA " + home.schema() +
                " TO writer; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " +
                home.schema() + " TO writer");
    {
        const auto writer = home.open_at(server().address(home.schema(), "", "writer"));
        ASSERT_TRUE(writer) << writer.error().to_string();
        const auto branch = (*writer)->add_blueprint(submission(64));
        ASSERT_TRUE(branch) << branch.error().to_string();
        const auto forge = *home.keys().signer(execution::KeyRole::kForge);
        EXPECT_TRUE((*writer)->add_kernel(SmallLibrary::new_kernel("kernel-1", *branch, forge)));
    }
    ASSERT_TRUE(library.validate("kernel-1"));
    EXPECT_TRUE(library->verify({})->empty());
    library.sql("DROP OWNED BY writer; DROP ROLE writer");
}

/// Whatever is added to the ledger fails with this SQLSTATE.
std::string failing_ledger(const std::string& state) {
    return "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
           "'out of luck' USING ERRCODE = '" +
           state +
           "'; END $$; CREATE TRIGGER fails BEFORE INSERT ON ledger EXECUTE FUNCTION fail()";
}

TEST_F(PostgresLibraryTest, WhatTheServerRefusesLeavesNoHalfRow) {
    SmallLibrary library(std::make_unique<PostgresHome>());
    library.add("kernel-1");
    for (const auto& [state, kind, advice] :
         {std::tuple("53100", UrzaError::kDiskFull, "make room"),
          {"25006", UrzaError::kReadOnly, "GRANT"},
          {"XX001", UrzaError::kDamaged, "from a copy"},
          {"40001", UrzaError::kDatabase, "server's log"}}) {
        library.sql(failing_ledger(state));
        const auto refused = library->add_blueprint(submission(32));
        ASSERT_FALSE(refused) << state;
        EXPECT_TRUE(refused.error().is(kind)) << refused.error().to_string();
        EXPECT_NE(refused.error().message().find(advice), std::string::npos);
        EXPECT_FALSE(library.validate("kernel-1"));
        library.sql("DROP TRIGGER fails ON ledger; DROP FUNCTION fail");
        EXPECT_EQ(library->blueprints({})->size(), 1u) << state;
        EXPECT_TRUE(library->verify({})->empty()) << state;
    }
    EXPECT_TRUE(library->add_blueprint(submission(32)));
    EXPECT_TRUE(library.validate("kernel-1"));
}

TEST_F(PostgresLibraryTest, WhereThereIsNoneNothingIsMadeByLookingAtIt) {
    PostgresHome home;
    const auto none = open_postgres_library_to_read(home.address());
    ASSERT_TRUE(none.error().is(UrzaError::kReadOnly));
    EXPECT_NE(none.error().message().find("holds no library"), std::string::npos);
    EXPECT_EQ(*(*home.database())->version(), 0);
}

TEST_F(PostgresLibraryTest, AStatementMayNotTakeForEver) {
    PostgresHome home;
    const auto database = *PostgresDatabase::open(home.address("-cstatement_timeout=50ms"),
                                                  PostgresDatabase::Mode::kReadWrite);
    const Status slow = database->run("SELECT pg_sleep(20)");
    ASSERT_TRUE(slow.error().is(UrzaError::kDatabase)) << slow.error().to_string();
    EXPECT_NE(slow.error().message().find("statement timeout"), std::string::npos);
    auto usual = *home.database();
    auto limit = *usual->prepare("SELECT current_setting('statement_timeout')");
    ASSERT_TRUE(*limit.step());
    EXPECT_EQ(limit.text(0), "30s");
}

TEST_F(PostgresLibraryTest, TheCommitOfAFailedTransactionIsNoSuccess) {
    PostgresHome home;
    ASSERT_TRUE(home.open());
    const auto database = *home.database();
    ASSERT_TRUE(database->begin());
    ASSERT_FALSE(database->run("SELECT 1 / 0"));
    const Status undone = database->run("COMMIT");
    ASSERT_FALSE(undone);
    EXPECT_NE(undone.error().message().find("undone"), std::string::npos);
    EXPECT_FALSE(database->in_transaction());
}

TEST_F(PostgresLibraryTest, ObjectsLieWhereTheFirstUserSaid) {
    const TemporaryFolder folder;
    const std::string objects = folder / "objects";
    PostgresHome home(objects);
    {
        const auto library = *home.open_at(home.address());
        const auto branch = *library->add_blueprint(submission(64));
        const auto forge = *home.keys().signer(execution::KeyRole::kForge);
        ASSERT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge)));
    }
    const auto digest = sha256("object of kernel-1").hex();
    EXPECT_TRUE(std::filesystem::exists(folder / "objects/" / digest.substr(0, 2) / digest));
    const auto without = [&](const std::string& place) {
        ::setenv("ESPER_KEYS", home.keys().path().c_str(), 1);
        auto library = open_postgres_library(home.address(), place);
        ::unsetenv("ESPER_KEYS");
        return library;
    };
    EXPECT_TRUE((*without(""))->fetch("kernel-1"));
    for (const std::string place : {"/elsewhere", "rows", "s3://bucket/prefix"}) {
        const auto refused = without(place);
        ASSERT_TRUE(refused.error().is(UrzaError::kBadAddress)) << place;
        EXPECT_NE(refused.error().message().find(objects), std::string::npos);
    }
    PostgresHome other("ftp://host/objects");
    EXPECT_TRUE(other.open().error().is(UrzaError::kBadAddress));
}

TEST_F(PostgresLibraryTest, AnObjectThatIsTooLargeForARowIsRefusedWithAdvice) {
    PostgresHome home;
    ASSERT_TRUE(home.open());
    RowObjects rows("a database", [&] { return home.database(); });
    const auto refused = rows.put(std::string(RowObjects::kMostBytes + 1, 'x'));
    ASSERT_TRUE(refused.error().is(UrzaError::kTooLarge));
    EXPECT_NE(refused.error().message().find("ESPER_OBJECTS"), std::string::npos);
}

TEST_F(PostgresLibraryTest, TablesOfANewerVersionAreRefused) {
    PostgresHome home;
    ASSERT_TRUE(home.open());
    home.sql("UPDATE library_version SET version = 1000");
    EXPECT_TRUE(home.open().error().is(UrzaError::kTooNew));
}

TEST(Libpq, WhereItIsMissingItsPackageIsNamed) {
    ASSERT_TRUE(FaultPoints::arm("urza.no_libpq@1"));
    const auto refused = open_library("postgresql://user@host/db");
    FaultPoints::disarm_all();
    ASSERT_TRUE(refused.error().is(UrzaError::kUnreachable));
    EXPECT_NE(refused.error().message().find("libpq5"), std::string::npos);
}

TEST(PostgresAddress, IsShownWithoutItsPassword) {
    EXPECT_EQ(without_password("postgresql://user:secret@host:5432/db"),
              "postgresql://user:…@host:5432/db");
    EXPECT_EQ(without_password("postgresql://user:se@cret@host/db"), "postgresql://user:…@host/db");
    EXPECT_EQ(without_password("postgresql://host/db?user=a&password=secret&x=1"),
              "postgresql://host/db?user=a&password=…&x=1");
    EXPECT_EQ(without_password("postgresql://user@host:5432/db"), "postgresql://user@host:5432/db");
    EXPECT_EQ(without_password("/a/folder"), "/a/folder");
}

TEST(PostgresAddress, OfADatabaseTheLocalFolderIsTheUsersOwn) {
    const TemporaryFolder home;
    ::setenv("XDG_DATA_HOME", home.path().c_str(), 1);
    EXPECT_EQ(local_folder("postgresql://host/db"), home / "esper/library");
    EXPECT_EQ(local_folder("/a/folder"), "/a/folder");
    ::unsetenv("XDG_DATA_HOME");
}

TEST(PostgresStatement, HasNumberedPlaceholdersOutsideOfQuotes) {
    EXPECT_EQ(numbered_placeholders("SELECT '?' FROM t WHERE a = ? AND b = ?"),
              "SELECT '?' FROM t WHERE a = $1 AND b = $2");
}

}  // namespace
}  // namespace esper::urza
