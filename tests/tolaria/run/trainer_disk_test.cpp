#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

// The disk fails at the N-th write, sync or rename of a run, once and for good, for every N there
// is: the run must end with an error that says so, and go on from there as if nothing had been.
void fail_at_every(const std::string& point) {
    auto config = growing();
    config.run.epochs = 4;
    config.run.steps_per_epoch = 3;
    Folder whole("disk-whole");
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    int failures = 0;
    for (int n = 1;; n += n < 8 ? 1 : 5) {
        Folder folder("disk");
        ASSERT_TRUE(FaultPoints::arm(point + "@" + std::to_string(n) + "+"));
        auto trainer = Trainer::create(config, folder.path);
        const auto status =
            trainer ? (*trainer)->run() : Result<RunStatus>(tl::unexpected(trainer.error()));
        const bool failed = FaultPoints::fired(point) > 0;
        FaultPoints::disarm_all();
        if (!failed) break;
        ++failures;
        ASSERT_FALSE(status) << point << " " << n;
        EXPECT_TRUE(status.error().is(FileError::kUnwritable)) << status.error().to_string();
        const bool begun = trainer.has_value();
        if (begun) trainer->reset();
        auto second =
            begun ? Trainer::resume(config, folder.path) : Trainer::create(config, folder.path);
        ASSERT_TRUE(second) << point << " " << n << ": " << second.error().to_string();
        ASSERT_EQ(value_or_throw((*second)->run()), RunStatus::kDone);
        expect_same_run(whole.path, folder.path);
        if (testing::Test::HasFailure()) break;
    }
    EXPECT_GE(failures, 10);
}

TEST(Disk, ThatIsFullAtAnyWriteLosesNothing) { fail_at_every("files.write"); }
TEST(Disk, ThatCannotSyncLosesNothing) { fail_at_every("files.sync"); }
TEST(Disk, ThatCannotRenameLosesNothing) { fail_at_every("files.rename"); }

TEST(Disk, ACheckpointThatCannotBeWrittenSaysWhatToDo) {
    Folder folder("full");
    auto trainer = start(small(), folder.path);
    ASSERT_TRUE(FaultPoints::arm("files.write@1+"));
    trainer->request_stop();
    const auto status = trainer->run();
    FaultPoints::disarm_all();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(FileError::kUnwritable));
}

TEST(Disk, AFolderThatCannotBeWrittenToIsRefusedAtOnce) {
    Folder folder("file");
    fs::create_directories(folder.path);
    const auto blocked = folder.path / "file";
    {
        std::FILE* f = std::fopen(blocked.c_str(), "w");
        std::fclose(f);
    }
    const auto trainer = Trainer::create(small(), blocked / "run");
    ASSERT_FALSE(trainer);
    EXPECT_TRUE(trainer.error().is(records::RecordsError::kBadRunFolder))
        << trainer.error().to_string();
}

}  // namespace
}  // namespace esper::tolaria
