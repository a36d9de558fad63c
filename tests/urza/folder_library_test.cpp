#include <gtest/gtest.h>
#include <sys/stat.h>

#include "esper/base/files.h"
#include "esper/services/urza/missing_library.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

using esper::testing::SmallLibrary;
using esper::testing::submission;

TEST(FolderLibrary, IsMadeOnFirstUseForThisUserOnly) {
    SmallLibrary library;
    struct stat st {};
    ASSERT_EQ(::stat(library.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    EXPECT_EQ(library->head()->number, 0u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST(FolderLibrary, WithoutTheKeyThatSignsItsLedgerIsRead) {
    SmallLibrary library;
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    const auto ask = library.ask();
    library.close();
    const auto id = library.keys().signer(execution::KeyRole::kLibrary)->id();
    std::filesystem::remove(library.keys().path() / (id + ".key"));
    library.reopen();
    EXPECT_EQ(library->offers(ask)->size(), 1u);
    EXPECT_TRUE(library->verify({})->empty());
    const auto refused = library->add_blueprint(submission(32));
    ASSERT_TRUE(refused.error().is(UrzaError::kReadOnly));
    EXPECT_NE(refused.error().message().find("secret half"), std::string::npos)
        << refused.error().message();
}

TEST(OpenLibrary, RefusesAnAddressThatIsNeitherFolderNorDatabase) {
    const TemporaryFolder folder;
    for (const auto* address : {"mysql://host/db", "postgres:/host/db://"}) {
        const auto refused = open_library(address);
        ASSERT_TRUE(refused.error().is(UrzaError::kBadAddress)) << address;
        EXPECT_NE(refused.error().message().find("postgresql://"), std::string::npos);
    }
    const auto objects = open_library(folder / "library", "s3://bucket/prefix");
    ASSERT_TRUE(objects.error().is(UrzaError::kBadAddress));
    EXPECT_FALSE(std::filesystem::exists(folder / "library"));
}

TEST(OpenLibrary, AFolderWithoutALibraryIsToldFromOneThatHasLostItsDatabase) {
    SmallLibrary library;
    library.add("kernel-1");
    EXPECT_TRUE(refuse_missing(library.path().string()));
    EXPECT_TRUE(refuse_missing("postgresql://host/db")) << "no folder";
    library.close();
    std::filesystem::remove(library.path() / "urza.sqlite");
    EXPECT_TRUE(refuse_missing(library.path().string()));
    EXPECT_TRUE(open_library(library.path()).error().is(UrzaError::kDamaged));
    const TemporaryFolder folder;
    const auto refused = refuse_missing((folder / "typo").string());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(FileError::kNotFound)) << refused.error().to_string();
}

}  // namespace
}  // namespace esper::urza
