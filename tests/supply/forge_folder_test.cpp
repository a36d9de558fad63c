#include "esper/services/supply/forge_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/temporary_folder.h"

namespace esper::supply {
namespace {

namespace fs = std::filesystem;

class ForgeFolders : public ::testing::Test {
  protected:
    ForgeFolders() {
        if (const char* value = std::getenv("TMPDIR")) old_ = value;
        ::setenv("TMPDIR", above_.path().c_str(), 1);
    }
    ~ForgeFolders() override {
        old_.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", old_.c_str(), 1);
    }
    long folders() const { return std::distance(fs::directory_iterator(above_.path()), {}); }
    const TemporaryFolder above_;
    std::string old_;
};

TEST_F(ForgeFolders, GoWithTheirMaker) {
    {
        const ForgeFolder folder;
        ASSERT_FALSE(folder.path().empty());
        std::ofstream(folder.path() / "kernel.cpp") << "x";
        EXPECT_EQ(remove_abandoned_folders(), 0) << "its maker lives";
        EXPECT_TRUE(fs::exists(folder.path() / "kernel.cpp"));
    }
    EXPECT_EQ(folders(), 0);
}

TEST_F(ForgeFolders, OfAMakerThatWasKilledGoWithTheNext) {
    const pid_t killed = ::fork();
    if (killed == 0) {
        const ForgeFolder folder;
        std::ofstream(folder.path() / "kernel.cpp") << "x";
        ::_exit(0);  // as after kill -9: no destructor
    }
    ::waitpid(killed, nullptr, 0);
    ASSERT_EQ(folders(), 1);
    const ForgeFolder living;
    fs::create_directory(above_.path() /
                         "esper-forge-of-a-run-older");  // no lock: not ours to judge
    EXPECT_EQ(remove_abandoned_folders(), 1);
    EXPECT_TRUE(fs::exists(living.path()));
    EXPECT_EQ(folders(), 2);
}

}  // namespace
}  // namespace esper::supply
