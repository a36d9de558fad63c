#include "esper/services/records/lineage_check.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "esper/base/files.h"

namespace esper::records {
namespace {

std::vector<graph::JournalEntry> journal(std::size_t entries) {
    std::vector<graph::JournalEntry> all(entries);
    for (std::size_t i = 0; i < entries; ++i) all[i].program_sha256 = "p" + std::to_string(i);
    return all;
}

class LineageCheck : public ::testing::Test {
  protected:
    LineageCheck() { std::filesystem::create_directories(folder / "checkpoints"); }
    void checkpoint(const std::string& name, std::int64_t step, int entries,
                    const std::string& program) const {
        const nlohmann::json header{{"state",
                                     {{"step", step},
                                      {"program_sha256", program},
                                      {"journal_entries", entries},
                                      {"data", "f"}}},
                                    {"tensors", nlohmann::json::array()}};
        const auto text = header.dump();
        const std::uint64_t length = text.size();
        std::string payload(reinterpret_cast<const char*>(&length), 8);
        payload += text;
        const std::string_view piece = payload;
        ASSERT_TRUE(
            write_checked_file(folder / "checkpoints" / name, "ESPRCKPT", 1, std::span(&piece, 1)));
    }
    TemporaryFolder folder;
};

TEST_F(LineageCheck, AJournalIsCutToTheEditsThatLedToTheCheckpoint) {
    auto entries = journal(5);
    ASSERT_TRUE(cut_to_checkpoint(entries, {30, "p2", 3, "f"}, folder.path()));
    EXPECT_EQ(entries.size(), 3U);
}

TEST_F(LineageCheck, MissingLinesAndAnotherRunsCheckpointAreRefused) {
    for (const auto& head :
         {CheckpointHead{30, "p4", 6, "f"}, CheckpointHead{30, "other", 3, "f"}}) {
        auto entries = journal(5);
        const auto cut = cut_to_checkpoint(entries, head, folder.path());
        ASSERT_FALSE(cut);
        EXPECT_TRUE(cut.error().is(RecordsError::kForeignJournal));
        EXPECT_EQ(cut.error().exit_code(), 4);
    }
}

TEST_F(LineageCheck, TheNewestCheckpointThatCanBeReadIsTheMeasure) {
    checkpoint("step-20.ckpt", 20, 3, "p2");
    checkpoint("step-100.ckpt", 100, 4, "p3");
    std::ofstream(folder / "checkpoints" / "step-200.ckpt") << "torn";
    const auto newest = newest_checkpoint(folder.path());
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->step, 100);
    EXPECT_TRUE(check_history(journal(5), newest, folder.path(), "p4"));
    EXPECT_FALSE(check_history(journal(3), newest, folder.path(), "p2"));
}

TEST_F(LineageCheck, ARunWithoutCheckpointsIsHeldToRunJson) {
    EXPECT_TRUE(check_history(journal(3), std::nullopt, folder.path(), "p2"));
    EXPECT_TRUE(check_history(journal(3), std::nullopt, folder.path(), "p1"))
        << "its journal may be ahead";
    EXPECT_FALSE(check_history(journal(3), std::nullopt, folder.path(), "p3"));
}

TEST_F(LineageCheck, ALinkInThePlaceOfACheckpointIsNotRead) {
    checkpoint("step-20.ckpt", 20, 3, "p2");
    std::filesystem::create_symlink(folder / "checkpoints" / "step-20.ckpt", folder / "link.ckpt");
    EXPECT_FALSE(read_checkpoint_head(folder / "link.ckpt"));
}

}  // namespace
}  // namespace esper::records
