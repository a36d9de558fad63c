#include "esper/services/urza/sqlite_library.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "urza/conformance.h"
#include "urza/field_runs.h"

namespace esper::urza {

INSTANTIATE_TEST_SUITE_P(Sqlite, LibraryConformance,
                         ::testing::Values(Implementation{
                             "sqlite",
                             [] { return std::make_unique<esper::testing::FolderHome>(); }}),
                         name_of_implementation);

namespace {

using esper::testing::field_run;
using esper::testing::SmallLibrary;
using esper::testing::submission;

TEST(SqliteLibraryTest, IsMadeOnFirstUseForThisUserOnly) {
    SmallLibrary library;
    struct stat st {};
    ASSERT_EQ(::stat(library.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    EXPECT_EQ(library->head()->number, 0u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST(SqliteLibraryTest, AnAlteredReportIsFound) {
    SmallLibrary library;
    const auto id = *library->add_blueprint(submission(64));
    ASSERT_TRUE(*library->file_run(field_run("run-1", id, 2, 10)));
    ASSERT_TRUE(library->verify({})->empty());
    for (const auto* change :
         {"UPDATE field_candidates SET measured = 11", "UPDATE field_run SET host = 'mlp'",
          "UPDATE field_report SET seed = 's9' WHERE seed = 's1'",
          "DELETE FROM field_report WHERE seed = 's2'"}) {
        library.sql(change);
        const auto wrong = *library->verify({});
        ASSERT_EQ(wrong.size(), 1u) << change;
        EXPECT_TRUE(wrong.front().is(UrzaError::kBadRow)) << wrong.front().to_string();
        library.sql("UPDATE field_candidates SET measured = 10");
        library.sql("UPDATE field_run SET host = 'gpt'");
        library.sql("UPDATE field_report SET seed = 's1' WHERE seed = 's9'");
    }
}

TEST(SqliteLibraryTest, ManyWritersShareASync) {
    SmallLibrary library;
    ASSERT_TRUE(library->add_blueprint(submission(64)));
    const std::uint64_t before = library.commits();
    std::vector<std::thread> threads;
    for (int t = 0; t < 32; ++t) {
        threads.emplace_back([&library, t] {
            for (int i = 0; i < 4; ++i)
                EXPECT_TRUE(library->add_blueprint(submission(100 + 4 * t + i)));
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(library->head()->number, 129u);
    EXPECT_LT(library.commits() - before, 128u);
    EXPECT_TRUE(library->verify({})->empty());
}

}  // namespace
}  // namespace esper::urza
