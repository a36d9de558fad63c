#include "urza/faulty_disk.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/without_rights.h"
#include "esper/base/fault_points.h"
#include "esper/base/files.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

using esper::testing::FaultyDisk;
using esper::testing::SmallLibrary;
using esper::testing::submission;

/// Adds a kernel and its verdict; whichever error comes first.
Status grow(SmallLibrary& library, const execution::Signer& forge, const std::string& branch) {
    ESPER_CHECK_STATUS(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge)));
    const auto judged = library.judge("kernel-1");
    return library->add_verdict("kernel-1", judged.statement, judged.seal, judged.report);
}

void expect_whole_or_nothing(int code, UrzaError expected) {
    FaultyDisk::install();
    int failures = 0;
    for (int nth = 1; nth < 200; ++nth) {
        SmallLibrary library;
        const std::string branch = *library->add_blueprint(submission(64));
        const auto forge = *library.keys().signer(execution::KeyRole::kForge);
        FaultyDisk::fail_from(nth, code);
        const Status grown = grow(library, forge, branch);
        FaultyDisk::mend();
        if (!FaultyDisk::fired()) {
            EXPECT_TRUE(grown);
            break;
        }
        ++failures;
        if (!grown) {
            EXPECT_TRUE(grown.error().is(expected)) << grown.error().to_string();
            EXPECT_NE(grown.error().message().find("othing was changed"), std::string::npos)
                << grown.error().message();
        }
        library.reopen();
        const auto wrong = *library->verify({});
        EXPECT_TRUE(wrong.empty()) << "write " << nth << ": " << wrong.front().to_string();
        // Whole or not at all; and it can be done now.
        ASSERT_TRUE(grow(library, forge, branch)) << "write " << nth;
        EXPECT_TRUE(library.load("kernel-1"));
    }
    EXPECT_GE(failures, 4);
}

TEST(FaultyDiskTest, AFullDiskAtEachWriteLeavesNoHalfRow) {
    expect_whole_or_nothing(SQLITE_FULL, UrzaError::kDiskFull);
}

TEST(FaultyDiskTest, AnErrorOfTheDiskAtEachWriteLeavesNoHalfRow) {
    expect_whole_or_nothing(SQLITE_IOERR_WRITE, UrzaError::kDatabase);
}

TEST(FaultyDiskTest, AnObjectThatCannotBeWrittenLeavesNoRow) {
    SmallLibrary library;
    const std::string branch = *library->add_blueprint(submission(64));
    const auto forge = *library.keys().signer(execution::KeyRole::kForge);
    for (const char* point : {"files.write@1", "files.sync@1", "files.rename@1"}) {
        ASSERT_TRUE(FaultPoints::arm(point));
        const auto added = library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge));
        FaultPoints::disarm_all();
        EXPECT_TRUE(added.error().is(UrzaError::kDiskFull)) << point;
        EXPECT_TRUE(library->kernel("kernel-1").error().is(UrzaError::kUnknownKernel));
    }
    EXPECT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge)));
    EXPECT_TRUE(library->verify({})->empty());
}

TEST(FaultyDiskTest, WhereNothingCanBeWrittenTheLibraryIsStillRead) {
    FaultyDisk::install();
    SmallLibrary library;
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    const KernelAsk ask = library.ask();
    FaultyDisk::refuse_writers(true);
    library.reopen();
    EXPECT_EQ(library->offers(ask)->size(), 1u);
    EXPECT_TRUE(library.load("kernel-1"));
    const auto refused = library->add_blueprint(submission(32));
    EXPECT_TRUE(refused.error().is(UrzaError::kReadOnly));
    EXPECT_NE(refused.error().message().find("ESPER_LIBRARY"), std::string::npos);
    EXPECT_EQ(library.commits(), 0u);
    FaultyDisk::refuse_writers(false);
}

/// Nothing below the folder can be written any more, also not by its owner.
void take_write_permission(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    constexpr auto kWrite =
        fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        fs::permissions(entry.path(), kWrite, fs::perm_options::remove);
    fs::permissions(folder, kWrite, fs::perm_options::remove);
}

void give_write_permission(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    fs::permissions(folder, fs::perms::owner_write, fs::perm_options::add);
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
}

/// What is wrong with reading a library whose files and folders are all read-only; "" if nothing.
std::string read_without_permission() {
    SmallLibrary library;
    library.add("kernel-1");
    if (!library.validate("kernel-1")) return "could not be made";
    const auto ask = library.ask();
    library.close();
    take_write_permission(library.path());
    std::string wrong;
    {
        auto opened = open_folder_library(library.path());
        if (!opened) {
            wrong = opened.error().to_string();
        } else {
            auto& read = **opened;
            const auto verified = read.verify({});
            const auto refused = read.add_blueprint(submission(32));
            if (!verified || !verified->empty()) wrong = "verify";
            if (read.offers(ask)->size() != 1 || read.ledger(0, 100)->empty()) wrong = "offers";
            if (refused || !refused.error().is(UrzaError::kReadOnly)) wrong = "add_blueprint";
        }
    }
    give_write_permission(library.path());
    return wrong;
}

// Root may write everywhere, so a child without its rights does this.
TEST(ReadOnlyLibrary, IsReadByItsOwnerAndRefusesEveryChange) {
    EXPECT_EQ(exit_code_without_rights([] {
                  const auto wrong = read_without_permission();
                  std::fprintf(stderr, "%s\n", wrong.c_str());
                  return wrong.empty() ? 0 : 1;
              }),
              0);
}

TEST(EmptiedLibrary, IsNotTakenForANewOne) {
    SmallLibrary library;
    library.add("kernel-1");
    library.close();
    std::filesystem::resize_file(library.path() / "urza.sqlite", 0);
    const auto refused = open_folder_library(library.path());
    ASSERT_TRUE(refused.error().is(UrzaError::kDamaged));
    EXPECT_NE(refused.error().message().find("is empty"), std::string::npos);
    std::filesystem::remove(library.path() / "urza.sqlite");
    EXPECT_TRUE(open_folder_library(library.path()).error().is(UrzaError::kDamaged));
}

TEST(FaultyDiskTest, ANetworkFileSystemIsRefusedWithAdvice) {
    const TemporaryFolder folder;
    ASSERT_TRUE(FaultPoints::arm("urza.network_file_system@1"));
    const auto refused = open_folder_library(folder / "library");
    FaultPoints::disarm_all();
    ASSERT_TRUE(refused.error().is(UrzaError::kNetworkFileSystem));
    EXPECT_NE(refused.error().message().find("NFS"), std::string::npos);
    EXPECT_NE(refused.error().message().find("ESPER_LIBRARY"), std::string::npos);
}

TEST(FaultyDiskTest, AFolderThatCannotBeMadeIsNamed) {
    const auto refused = open_folder_library("/proc/no/such/library");
    ASSERT_TRUE(refused.error().is(UrzaError::kReadOnly));
    EXPECT_NE(refused.error().message().find("/proc/no"), std::string::npos);
}

TEST(Migrations, TablesOfANewerVersionAreRefused) {
    SmallLibrary library;
    library.sql("PRAGMA user_version = 1000");
    const auto refused = open_folder_library(library.path());
    EXPECT_TRUE(refused.error().is(UrzaError::kTooNew));
}

}  // namespace
}  // namespace esper::urza
