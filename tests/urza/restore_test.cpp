#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "esper/services/urza/backup.h"
#include "urza/databases.h"
#include "urza/faulty_disk.h"

// A restore that fails leaves nothing behind, and where the keys for it are found.

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using esper::testing::FaultyDisk;
using esper::testing::SmallLibrary;

class Restore : public ::testing::Test {
  protected:
    Restore() {
        for (const char* name : {"ESPER_KEYS", "XDG_DATA_HOME"})
            if (const char* value = std::getenv(name)) old_.emplace_back(name, value);
        ::unsetenv("ESPER_KEYS");
        ::setenv("XDG_DATA_HOME", (above_ / "home").c_str(), 1);
        for (const char* id : {"one", "two"}) library_.add(id);
        EXPECT_TRUE(library_.validate("one"));
        EXPECT_TRUE(back_up(library_.path(), "", backup_));
    }
    ~Restore() override {
        for (const char* name : {"ESPER_KEYS", "XDG_DATA_HOME"}) ::unsetenv(name);
        for (const auto& [name, value] : old_) ::setenv(name.c_str(), value.c_str(), 1);
    }
    /// As if this library were the user's own.
    void give_keys(const fs::path& to) const {
        fs::create_directories(to.parent_path());
        fs::copy(library_.keys().path(), to, fs::copy_options::recursive);
    }
    fs::path users_keys() const { return above_ / "home/esper/library/keys"; }
    Result<Copied> restored() const { return restore(backup_, target_.string(), ""); }

    SmallLibrary library_;
    const TemporaryFolder above_;
    const fs::path backup_ = above_ / "backup", target_ = above_ / "new/library";
    std::vector<std::pair<std::string, std::string>> old_;
};

TEST_F(Restore, TakesTheKeysOfTheUsersOwnFolder) {
    give_keys(users_keys());
    const auto done = restored();
    ASSERT_TRUE(done) << done.error().to_string();
    EXPECT_EQ(done->objects, 2u);
    const auto again = value_or_throw(open_folder_library(target_));
    EXPECT_TRUE(again->verify(*library_->head())->empty());
    EXPECT_TRUE(again->may_change());
    for (const auto& file : fs::directory_iterator(target_ / "keys")) {
        struct stat st {};
        ASSERT_EQ(::stat(file.path().c_str(), &st), 0);
        if (S_ISREG(st.st_mode)) {
            EXPECT_EQ(st.st_mode & 0777U, 0600U) << file.path();
        }
    }
}

TEST_F(Restore, WithoutKeysMakesNothingAndSaysWhatToDo) {
    const auto none = restored();
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(execution::TrustError::kNoKey)) << none.error().to_string();
    EXPECT_NE(none.error().message().find("ESPER_KEYS"), std::string::npos);
    EXPECT_FALSE(fs::exists(target_.parent_path()));
    EXPECT_FALSE(fs::exists(users_keys()));
    ::setenv("ESPER_KEYS", (above_ / "nothing").c_str(), 1);
    EXPECT_FALSE(restored());
    EXPECT_FALSE(fs::exists(above_ / "nothing"));
}

TEST_F(Restore, OtherKeysAreRefusedAndTheRightOnesNamed) {
    execution::KeyFolder others(target_ / "keys");
    fs::create_directories(target_);
    ASSERT_TRUE(others.make_missing());
    const auto refused = restored();
    EXPECT_TRUE(refused.error().is(execution::TrustError::kUnknownKey));
    EXPECT_FALSE(fs::exists(target_ / "urza.sqlite"));
    EXPECT_TRUE(fs::exists(target_ / "keys/ring")) << "it was there before";
    give_keys(users_keys());
    EXPECT_NE(restored().error().message().find(users_keys().string()), std::string::npos);
}

TEST_F(Restore, OfADamagedBackupLeavesNothing) {
    give_keys(users_keys());
    std::vector<fs::path> objects;
    for (const auto& file : fs::recursive_directory_iterator(backup_ / "objects"))
        if (file.is_regular_file()) objects.push_back(file.path());
    ASSERT_EQ(objects.size(), 2u);
    const auto object = *read_file(objects[0]);
    const auto whole = *read_file(backup_ / "urza.sqlite");
    const auto write = [](const fs::path& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    };
    const auto expect_nothing = [&](const char* what) {
        const auto refused = restored();
        ASSERT_FALSE(refused) << what;
        EXPECT_EQ(refused.error().exit_code(), 4) << what << ": " << refused.error().to_string();
        EXPECT_FALSE(fs::exists(target_.parent_path())) << what;
    };
    write(objects[0], object + "x");
    expect_nothing("an object that was changed");
    fs::remove(objects[0]);
    expect_nothing("an object that is gone");
    write(objects[0], object);
    write(backup_ / "urza.sqlite", whole.substr(0, whole.size() / 2));
    expect_nothing("a file that was cut");
    write(backup_ / "urza.sqlite", whole);
    {
        const auto database =
            *SqliteDatabase::open(backup_ / "urza.sqlite", SqliteDatabase::Mode::kReadWrite);
        ASSERT_TRUE(database->run("UPDATE ledger SET actor = 'nobody' WHERE number = 1"));
    }
    expect_nothing("an entry that nobody signed");
    for (const char* tail : {"-wal", "-shm"}) fs::remove(backup_.string() + "/urza.sqlite" + tail);
    write(backup_ / "urza.sqlite", whole);
    EXPECT_TRUE(restored()) << "as it was";
}

/// Where `text` lies in the backup's file, each time.
std::vector<std::size_t> places_of(const std::string& file, std::string_view text) {
    std::vector<std::size_t> places;
    for (auto at = file.find(text); at != std::string::npos; at = file.find(text, at + 1))
        places.push_back(at);
    EXPECT_FALSE(places.empty()) << text;
    return places;
}

TEST_F(Restore, OfABackupWithAFlippedBitIsCleanOrRefusedAsDamaged) {
    give_keys(users_keys());
    const fs::path file = backup_ / "urza.sqlite";
    const auto whole = *read_file(file);
    std::vector<std::size_t> places;
    // In a blueprint's record, a kernel's, names of columns, and the ledger's seal.
    for (const char* text : {"esper-program 1", "aten::relu", "\"submitted_by\"", "branch-64",
                             "object of", "\"toolchain_version\"", "leased_until", "submitted",
                             "ledger_head", "add blueprint", "validate kernel", "NOT NULL"})
        if (whole.find(text) != std::string::npos)
            for (const auto at : places_of(whole, text)) places.push_back(at + 3);
    for (std::size_t at = 1500; at < whole.size(); at += 4999) places.push_back(at);
    int refused = 0;
    for (const auto at : places) {
        for (const char* tail : {"-wal", "-shm"}) fs::remove(file.string() + tail);
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        std::ofstream(file, std::ios::binary) << damaged;
        const auto done = restored();
        if (done) {
            const auto again = value_or_throw(open_folder_library(target_));
            const auto wrong = value_or_throw(again->verify(*library_->head()));
            EXPECT_TRUE(wrong.empty()) << "byte " << at << ": " << wrong.front().to_string();
        } else {
            ++refused;
            EXPECT_EQ(done.error().exit_code(), 4)
                << "byte " << at << ": " << done.error().to_string();
            EXPECT_FALSE(fs::exists(target_.parent_path())) << "byte " << at;
        }
        fs::remove_all(target_.parent_path());
    }
    EXPECT_GT(refused, 10);
}

TEST_F(Restore, OfALibraryWithARevokedKeyIsNoDamage) {
    const auto forge = library_.keys().signer(execution::KeyRole::kForge);
    ASSERT_TRUE(forge);
    ASSERT_TRUE(library_.keys().revoke(forge->id()));
    library_.reopen();
    ASSERT_FALSE(library_->verify({})->empty());
    give_keys(users_keys());
    const auto done = restored();
    EXPECT_TRUE(done) << done.error().to_string();
}

TEST_F(Restore, OnAFullDiskLeavesNothingAndCanBeRepeated) {
    give_keys(users_keys());
    FaultyDisk::install();
    int failures = 0;
    for (int nth = 1; nth < 200; nth += 3) {
        FaultyDisk::fail_from(nth, SQLITE_FULL);
        const auto done = restored();
        FaultyDisk::mend();
        if (done) break;
        ++failures;
        EXPECT_FALSE(fs::exists(target_.parent_path())) << "write " << nth;
    }
    EXPECT_GE(failures, 3);
    const auto again = value_or_throw(open_folder_library(target_));
    EXPECT_TRUE(again->verify(*library_->head())->empty());
}

}  // namespace
}  // namespace esper::urza
