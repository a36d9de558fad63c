#include "esper/services/urza/backup.h"

#include <gtest/gtest.h>

#include "esper/services/urza/migrations.h"
#include "urza/databases.h"
#include "urza/field_runs.h"

// Copies of whole libraries, and libraries that an older version made.

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using esper::testing::field_run;
using esper::testing::SmallLibrary;
using esper::testing::submission;

DatabaseLibrary& as_database(Library& library) { return dynamic_cast<DatabaseLibrary&>(library); }

class Backup : public esper::testing::OverImplementations {
  protected:
    /// Kernels of every fate, and a run's reports.
    static void fill(SmallLibrary& library) {
        for (const char* id : {"good", "wrong", "pending", "collected"}) library.add(id);
        ASSERT_TRUE(library.validate("good"));
        ASSERT_TRUE(library.validate("wrong", false));
        ASSERT_TRUE(library.validate("collected"));
        ASSERT_TRUE(library->deprecate("collected", contracts::AccessRole::kCurator, "it drifts"));
        library.home().age_objects();
        ASSERT_EQ(library->collect({})->kernels, 2u);
        const auto branch = library.ask().branch;
        ASSERT_TRUE(*library->file_run(field_run("run-1", branch, 3, 10)));
    }
    /// The keys of one library become those of another that was not opened yet.
    static void give_keys(const SmallLibrary& from, const esper::testing::LibraryHome& to) {
        const auto folder = to.keys().path();
        fs::remove_all(folder);
        fs::create_directories(folder.parent_path());
        fs::copy(from.keys().path(), folder, fs::copy_options::recursive);
    }
};
INSTANTIATE_TEST_SUITE_P(Databases, Backup, ::testing::ValuesIn(esper::testing::databases()),
                         name_of_implementation);

TEST_P(Backup, IsALibraryThatCanBeVerifiedAndRestoredIntoAnyDatabase) {
    SmallLibrary library(home());
    fill(library);
    const LedgerHead head = *library->head();
    const TemporaryFolder above;
    const fs::path folder = above / "backup";
    const auto copied = as_database(*library).copy_into(folder);
    ASSERT_TRUE(copied) << copied.error().to_string();
    EXPECT_EQ(copied->objects, 2u);
    {
        const auto backup = *open_folder_library(folder);
        EXPECT_TRUE(backup->verify(head)->empty());
        EXPECT_EQ(backup->offers(library.ask())->size(), 1u);
        EXPECT_TRUE(backup->fetch("good"));
        EXPECT_TRUE(backup->add_blueprint(submission(32)).error().is(UrzaError::kReadOnly));
    }
    for (const auto& target : esper::testing::databases()) {
        if (!target.missing().empty()) continue;
        auto place = target.make();
        give_keys(library, *place);
        SmallLibrary restored(std::move(place));
        const auto back = as_database(*restored).copy_from(folder);
        ASSERT_TRUE(back) << target.name << ": " << back.error().to_string();
        EXPECT_EQ(back->rows, copied->rows);
        EXPECT_EQ(restored->head()->hash, head.hash) << target.name;
        const auto wrong = *restored->verify(head);
        EXPECT_TRUE(wrong.empty()) << target.name << ": " << wrong.front().to_string();
        EXPECT_EQ(restored->reports("")->size(), 3u);
        EXPECT_TRUE(restored.load("good"));
        // It goes on from there.
        ASSERT_TRUE(restored.validate("pending")) << target.name;
        EXPECT_EQ(restored->offers(restored.ask())->size(), 2u);
        EXPECT_TRUE(restored->verify({})->empty());
    }
}

TEST_P(Backup, IsRestoredIntoAnEmptyLibraryOfTheSameKeysAlone) {
    SmallLibrary library(home());
    fill(library);
    const TemporaryFolder above;
    ASSERT_TRUE(as_database(*library).copy_into(above / "backup"));
    const auto filled = as_database(*library).copy_from(above / "backup");
    ASSERT_TRUE(filled.error().is(UrzaError::kConflict)) << filled.error().to_string();
    SmallLibrary stranger(home());
    const auto refused = as_database(*stranger).copy_from(above / "backup");
    ASSERT_TRUE(refused.error().is(execution::TrustError::kUnknownKey))
        << refused.error().to_string();
    EXPECT_NE(refused.error().message().find("ESPER_KEYS"), std::string::npos);
    EXPECT_EQ(stranger->head()->number, 0u);
    EXPECT_TRUE(stranger->kernels({})->empty());
}

TEST_P(Backup, ALibraryOfTheFirstVersionIsBroughtUpToDate) {
    auto place = home();
    if (auto* folder = dynamic_cast<esper::testing::FolderHome*>(place.get()))
        fs::create_directories(folder->path());
    {
        const auto database = *dynamic_cast<esper::testing::DatabaseHome&>(*place).database();
        ASSERT_TRUE(migrate(*database, 1));
        ASSERT_EQ(*database->version(), 1);
        ASSERT_TRUE(database->run("INSERT INTO field_report (blueprint, record) VALUES ('b', '')"));
        EXPECT_FALSE(database->run("SELECT run FROM field_report"));
    }
    SmallLibrary library(std::move(place));
    EXPECT_EQ(*(*library.database_home().database())->version(), 3);
    fill(library);
    EXPECT_EQ(library->reports("")->size(), 3u) << "the old one belongs to no run";
    EXPECT_TRUE(library->verify({})->empty());
}

/// Takes away what later versions added.
void make_first_version(Database& database) {
    ASSERT_TRUE(database.run("DROP TABLE work"));
    const Status done = database.run(
        "DROP TABLE field_candidates; DROP TABLE field_run; DROP INDEX field_report_in; "
        "ALTER TABLE field_report DROP COLUMN run; ALTER TABLE field_report DROP COLUMN seed");
    ASSERT_TRUE(done) << done.error().to_string();
    ASSERT_TRUE(database.set_version(1));
}

TEST_P(Backup, WhatTheFirstVersionHeldIsWholeAfterTheUpgrade) {
    SmallLibrary library(home());
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    const LedgerHead head = *library->head();
    library.close();
    make_first_version(**library.database_home().database());
    library.reopen();
    EXPECT_TRUE(library->verify(head)->empty());
    EXPECT_TRUE(library.load("kernel-1"));
    EXPECT_TRUE(*library->file_run(field_run("run-1", library.ask().branch, 1, 1)));
}

TEST_P(Backup, OfTheFirstVersionIsRestored) {
    SmallLibrary old;
    old.add("kernel-1");
    ASSERT_TRUE(old.validate("kernel-1"));
    const LedgerHead head = *old->head();
    old.close();
    make_first_version(**old.database_home().database());
    auto place = home();
    give_keys(old, *place);
    SmallLibrary library(std::move(place));
    const auto restored = as_database(*library).copy_from(old.path());
    ASSERT_TRUE(restored) << restored.error().to_string();
    EXPECT_TRUE(library->verify(head)->empty());
    EXPECT_TRUE(library.load("kernel-1"));
    EXPECT_EQ(*(*old.database_home().database())->version(), 1) << "the backup stays as it is";
}

TEST(BackUp, MakesAFolderAndRefusesOneThatIsThere) {
    SmallLibrary library;
    library.add("kernel-1");
    const TemporaryFolder above;
    const auto copied = back_up(library.path(), "", above / "new/backup");
    ASSERT_TRUE(copied) << copied.error().to_string();
    EXPECT_EQ(copied->objects, 1u);
    const auto again = back_up(library.path(), "", above / "new/backup");
    EXPECT_TRUE(again.error().is(UrzaError::kConflict));
    const auto missing = restore(above / "nothing", library.path(), "");
    EXPECT_TRUE(missing.error().is(FileError::kNotFound));
    const auto slash = back_up(library.path(), "", (above / "slash").string() + "/");
    EXPECT_TRUE(slash) << slash.error().to_string();
    EXPECT_TRUE(fs::exists(above / "slash/urza.sqlite"));
    EXPECT_EQ(std::distance(fs::directory_iterator(above / "slash"), {}), 3);
    // An object that is gone makes none, and leaves nothing half.
    fs::remove_all(library.path() / "objects");
    EXPECT_TRUE(back_up(library.path(), "", above / "new/other").error().is(UrzaError::kNoObject));
    EXPECT_EQ(std::distance(fs::directory_iterator(above / "new"), {}), 1);
}

}  // namespace
}  // namespace esper::urza
