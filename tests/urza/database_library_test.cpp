#include "esper/services/urza/database_library.h"

#include <gtest/gtest.h>

#include <thread>

#include "urza/databases.h"
#include "urza/field_runs.h"

// What every library in a database does besides what library.h says.

namespace esper::urza {

INSTANTIATE_TEST_SUITE_P(Databases, LibraryConformance,
                         ::testing::ValuesIn(esper::testing::databases()), name_of_implementation);

namespace {

using esper::testing::field_run;
using esper::testing::SmallLibrary;
using esper::testing::submission;

class DatabaseLibraryTest : public esper::testing::OverImplementations {};
INSTANTIATE_TEST_SUITE_P(Databases, DatabaseLibraryTest,
                         ::testing::ValuesIn(esper::testing::databases()), name_of_implementation);

TEST_P(DatabaseLibraryTest, AnAlteredReportIsFound) {
    SmallLibrary library(home());
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

TEST_P(DatabaseLibraryTest, AKernelOfARevokedKeyIsSealedAnewWhenItIsMadeAgain) {
    SmallLibrary library(home());
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    const std::string old = library->kernel("kernel-1")->forged.key;
    ASSERT_TRUE(library.keys().rotate(execution::KeyRole::kForge));
    ASSERT_TRUE(library.keys().revoke(old));
    library.reopen();
    ASSERT_TRUE(library->offers(library.ask())->empty());
    library.add("kernel-1");
    EXPECT_NE(library->kernel("kernel-1")->forged.key, old);
    EXPECT_EQ(library->offers(library.ask())->size(), 1u);
    EXPECT_TRUE(library->verify({})->empty());
    const auto entries = library->head()->number;
    library.add("kernel-1");
    EXPECT_EQ(library->head()->number, entries);
}

TEST_P(DatabaseLibraryTest, ManyWritersShareASync) {
    SmallLibrary library(home());
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
