#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

// The disk fails at the N-th write, sync or rename of a run, from there on, for every N there is:
// the run must end with an error that says so, and go on from there as if nothing had been. A short
// run, in which a seed germinates.
configs::EsperConfig short_life() {
    auto config = growing();
    // A short text too: there are some two hundred runs to be made.
    static const Folder folder("disk-text");
    const auto text = folder.path / "text.txt";
    if (!fs::exists(text)) {
        fs::create_directories(folder.path);
        EXPECT_TRUE(write_file_atomic(text, text_of(config.data.path).substr(0, 40'000)));
    }
    config.data.path = text.string();
    config.controller.tournament.candidates = 1;
    config.run.epochs = 4;
    config.run.steps_per_epoch = 2;
    config.model.depth = 1;
    config.growth.training = configs::Duration::batches(2);
    config.growth.graft_steps = 2;
    config.growth.stabilization = configs::Duration::batches(1);
    config.growth.fine_tune = configs::Duration::batches(1);
    config.checkpoint.every = configs::Duration::batches(2);
    return config;
}

/// How often an undisturbed run passes the point.
std::uint64_t passes_of(const std::string& point, const fs::path& folder) {
    EXPECT_TRUE(FaultPoints::arm(point + "@1000000"));
    EXPECT_EQ(value_or_throw(start(short_life(), folder)->run()), RunStatus::kDone);
    const auto passes = FaultPoints::passes(point);
    FaultPoints::disarm_all();
    return passes;
}

void fail_at_every(const std::string& point) {
    const auto config = short_life();
    Folder whole("disk-whole");
    const auto passes = passes_of(point, whole.path);
    EXPECT_GE(run_json(whole.path).at("seeds").at("germinated"), 1);
    ASSERT_GE(passes, 10U);
    for (std::uint64_t n = 1; n <= passes; ++n) {
        Folder folder("disk");
        ASSERT_TRUE(FaultPoints::arm(point + "@" + std::to_string(n) + "+"));
        auto trainer = Trainer::create(config, folder.path);
        const auto status =
            trainer ? (*trainer)->run() : Result<RunStatus>(tl::unexpected(trainer.error()));
        EXPECT_GE(FaultPoints::fired(point), 1U) << point << " " << n;
        FaultPoints::disarm_all();
        // The last of all syncs is that of the folder when run.json already says that the run is
        // done: all is written, and the run has ended well.
        if (status && n == passes) {
            expect_same_run(whole.path, folder.path);
            break;
        }
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
    testing::Test::RecordProperty("disk_failures", std::to_string(passes));
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
