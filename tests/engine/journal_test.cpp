#include "esper/program/edits/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/base/text.h"
#include "esper/program/edits/journal_entry.h"
#include "esper/program/text/text_format.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

class JournalTest : public ::testing::Test {
  protected:
    void TearDown() override { FaultPoints::disarm_all(); }

    // A journal with the edits of a seed's whole life; returns the last Program.
    ProgramPtr write() {
        auto journal = Journal::create(path_, *small_host());
        EXPECT_TRUE(journal) << journal.error().to_string();
        ProgramPtr program = small_host();
        std::uint64_t step = 0;
        for (const Edit& edit : edits()) {
            auto after = graph::apply(*program, edit);
            EXPECT_TRUE(after) << after.error().to_string();
            if (!after) break;
            program = *after;
            EXPECT_TRUE(journal->append(edit, *program, step += 100, "because \"it\" helps"));
        }
        EXPECT_EQ(journal->size(), 5U);
        return program;
    }
    static std::vector<Edit> edits() {
        return {InsertSeed{"s", "fc1", "bottleneck", small_blueprint()},
                SetSeedMode{"s", SeedMode::kBlended},
                ReplaceOperator{5, "aten::relu", "aten::tanh"}, RemoveSeed{"s"}};
    }
    std::string content() const {
        auto read = read_file(path_);
        EXPECT_TRUE(read);
        return read ? *read : "";
    }
    void overwrite(const std::string& text) const {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
    }
    static std::vector<std::string> lines_of(const std::string& text) {
        auto lines = split(text, '\n');
        lines.pop_back();
        return lines;
    }
    static std::string joined(const std::vector<std::string>& lines) {
        return join(lines, "\n") + "\n";
    }
    static void expect_broken(const std::string& text, std::string_view words) {
        const auto read = parse_journal(text);
        ASSERT_FALSE(read) << words;
        EXPECT_TRUE(read.error().is(GraphError::kBrokenChain)) << read.error().to_string();
        EXPECT_NE(read.error().message().find(words), std::string::npos)
            << read.error().to_string();
    }

    TemporaryFolder folder_;
    std::filesystem::path path_ = folder_ / "journal.jsonl";
};

TEST_F(JournalTest, ReplayGivesTheLastProgramBitForBit) {
    const auto last = write();
    const auto entries = read_journal(path_);
    ASSERT_TRUE(entries) << entries.error().to_string();
    ASSERT_EQ(entries->size(), 5U);
    EXPECT_EQ((*entries)[1].step, 100U);
    EXPECT_EQ((*entries)[1].reason, "because \"it\" helps");
    const auto replayed = replay(*entries);
    ASSERT_TRUE(replayed) << replayed.error().to_string();
    EXPECT_EQ((*replayed)->hash(), last->hash());
    EXPECT_EQ(to_text(**replayed), to_text(*last));
}

TEST_F(JournalTest, NoticesEveryChangedByte) {
    write();
    const std::string good = content();
    ASSERT_TRUE(parse_journal(good));
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const int change : {0x01, 0x20, 0x80}) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ change);
            const auto read = parse_journal(bad);
            ASSERT_FALSE(read) << "byte " << i;
            ASSERT_TRUE(read.error().is(GraphError::kBrokenChain)) << read.error().to_string();
        }
    }
}

TEST_F(JournalTest, NoticesEveryCutThatIsNotAtTheEndOfALine) {
    write();
    const std::string good = content();
    std::size_t sound = 0;
    for (std::size_t length = 0; length < good.size(); ++length) {
        const bool whole_lines = length > 0 && good[length - 1] == '\n';
        ASSERT_EQ(parse_journal(good.substr(0, length)).has_value(), whole_lines) << length;
        sound += whole_lines ? 1 : 0;
    }
    EXPECT_EQ(sound, 4U);
}

TEST_F(JournalTest, NoticesBytesThatMeanNothingToJson) {
    write();
    const std::string good = content();
    expect_broken("", "empty");
    expect_broken(good + "\n", "line 6");
    expect_broken(good + " ", "line 6: it has no line end");
    expect_broken("\n" + good, "line 1");
    std::string blank = good;
    blank.insert(1, " ");
    expect_broken(blank, "line 1: it is not written as Esper writes it");
    std::string carriage = good;
    carriage.insert(good.size() - 1, "\r");
    expect_broken(carriage, "line 5");
    std::string twice = good;
    twice.insert(1, R"("reason":"x",)");
    expect_broken(twice, "line 1");
}

TEST_F(JournalTest, NoticesLinesThatWereRemovedReorderedOrAdded) {
    write();
    const auto good = lines_of(content());
    for (std::size_t i = 0; i + 1 < good.size(); ++i) {
        auto lines = good;
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
        expect_broken(joined(lines), "removed, added or reordered");
    }
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (std::size_t k = i + 1; k < good.size(); ++k) {
            auto lines = good;
            std::swap(lines[i], lines[k]);
            expect_broken(joined(lines), "reordered");
        }
        auto lines = good;
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
        expect_broken(joined(lines), "reordered");
    }
}

TEST_F(JournalTest, NoticesAForgedEntryThatHasAHashOfItsOwn) {
    write();
    auto lines = lines_of(content());
    auto entry = entry_from_line(lines[2]);
    ASSERT_TRUE(entry);
    entry->reason = "a nicer reason";
    entry->hash = entry_hash(*entry);
    lines[2] = entry_line(*entry);
    ASSERT_TRUE(entry_from_line(lines[2]));
    expect_broken(joined(lines), "line 4: it does not follow from the line before it");

    auto first = entry_from_line(lines[0]);
    first->initial = nullptr;
    first->hash = entry_hash(*first);
    expect_broken(entry_line(*first) + "\n", "must hold the first Program");
}

TEST_F(JournalTest, ReplayNoticesAProgramThatIsNotTheOneClaimed) {
    write();
    auto entries = read_journal(path_);
    ASSERT_TRUE(entries);
    auto changed = *entries;
    changed[2].program_sha256[0] = changed[2].program_sha256[0] == '0' ? '1' : '0';
    auto replayed = replay(changed);
    ASSERT_FALSE(replayed);
    EXPECT_TRUE(replayed.error().is(GraphError::kHashMismatch));

    changed = *entries;
    changed[3].edit = RemoveSeed{"nobody"};
    replayed = replay(changed);
    ASSERT_FALSE(replayed);
    EXPECT_TRUE(replayed.error().is(GraphError::kUnknownName));

    changed = *entries;
    changed.erase(changed.begin() + 2);
    EXPECT_TRUE(replay(changed).error().is(GraphError::kBrokenChain));
    EXPECT_TRUE(replay({}).error().is(GraphError::kBrokenChain));
}

TEST_F(JournalTest, ReopeningCutsWhatACrashLeftAndGoesOn) {
    write();
    const std::string good = content();
    const auto lines = lines_of(good);
    for (const auto& rubbish : {std::string(), lines[3].substr(0, 40), std::string("\n"),
                                lines[3] + "\n", lines[3] + "\n" + lines[4] + "\n{\"torn"}) {
        overwrite(joined({lines[0], lines[1], lines[2]}) + rubbish);
        auto journal = Journal::reopen(path_, 3);
        ASSERT_TRUE(journal) << journal.error().to_string();
        EXPECT_EQ(journal->size(), 3U);
        EXPECT_EQ(content(), joined({lines[0], lines[1], lines[2]}));
        // The same edits again give the same bytes.
        ProgramPtr program = *replay(*read_journal(path_));
        for (std::size_t i = 2; i < 4; ++i) {
            program = *graph::apply(*program, edits()[i]);
            ASSERT_TRUE(
                journal->append(edits()[i], *program, (i + 1) * 100, "because \"it\" helps"));
        }
        EXPECT_EQ(content(), good);
    }
}

TEST_F(JournalTest, ReopeningRefusesMissingOrChangedEntries) {
    write();
    const std::string good = content();
    for (const std::uint64_t entries : {0u, 6u, 100u}) {
        const auto journal = Journal::reopen(path_, entries);
        ASSERT_FALSE(journal);
        EXPECT_TRUE(journal.error().is(GraphError::kBrokenChain)) << journal.error().to_string();
    }
    std::string bad = good;
    bad[good.find("fc1")] = 'g';
    overwrite(bad);
    EXPECT_FALSE(Journal::reopen(path_, 2));
    EXPECT_EQ(content(), bad) << "what is refused is left as it is";
    std::filesystem::remove(path_);
    EXPECT_TRUE(Journal::reopen(path_, 1).error().is(FileError::kNotFound));
    EXPECT_TRUE(read_journal(path_).error().is(FileError::kNotFound));
}

TEST_F(JournalTest, IsNeverStartedOverAnother) {
    write();
    const auto again = Journal::create(path_, *small_host());
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(FileError::kUnwritable));
}

TEST_F(JournalTest, AnEntryThatCannotBeWrittenLeavesTheChainSound) {
    for (const auto fault : {"files.write@1", "files.sync@1"}) {
        std::filesystem::remove(path_);
        auto journal = Journal::create(path_, *small_host());
        ASSERT_TRUE(journal);
        const std::string before = content();
        const Edit edit = edits()[0];
        const auto after = *graph::apply(*small_host(), edit);
        ASSERT_TRUE(FaultPoints::arm(fault));
        EXPECT_TRUE(journal->append(edit, *after, 1, "").error().is(FileError::kUnwritable));
        FaultPoints::disarm_all();
        EXPECT_EQ(content(), before);
        EXPECT_FALSE(journal->append(edit, *after, 1, "")) << "until it is reopened";
        auto reopened = Journal::reopen(path_, journal->size());
        ASSERT_TRUE(reopened) << reopened.error().to_string();
        EXPECT_TRUE(reopened->append(edit, *after, 1, ""));
        EXPECT_TRUE(read_journal(path_));
    }
}

TEST_F(JournalTest, TakesReasonsThatAreNoUtf8) {
    auto journal = Journal::create(path_, *small_host());
    ASSERT_TRUE(journal);
    const Edit edit = edits()[0];
    ASSERT_TRUE(
        journal->append(edit, **graph::apply(*small_host(), edit), 1, "a\xff\n\x01 reason"));
    const auto entries = read_journal(path_);
    ASSERT_TRUE(entries) << entries.error().to_string();
    EXPECT_EQ((*entries)[1].reason, "a\xef\xbf\xbd\n\x01 reason");
}

}  // namespace
}  // namespace esper::graph
