#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/files.h"
#include "esper/program/edits/edits.h"

namespace esper::graph {

/// One line of `journal.jsonl`. `hash` is the SHA-256 over the previous entry's hash and this
/// entry's canonical JSON without `hash` (docs/program.md). The first entry has the initial
/// Program, and 64 zeros as `previous`.
struct JournalEntry {
    std::uint64_t index = 0;
    std::uint64_t step = 0;
    std::string previous;
    std::string program_sha256;  ///< hash of the Program after this entry
    std::string hash;
    std::optional<Edit> edit;  ///< absent in entry 0, which has `initial`
    ProgramPtr initial;        ///< present in entry 0 only
    std::string reason;        ///< one sentence, for people
};

/// The hash-chained, append-only list of a run's edits, one JSON line each. append() syncs the file
/// before it returns. Errors of writing are those of FileError. Not thread-safe.
class Journal {
  public:
    /// Errors: FileError::kUnwritable, also when the file exists already.
    static Result<Journal> create(const std::filesystem::path& path, const Program& initial);
    /// Verifies the first `entries` entries, removes everything after them (lines or half a line
    /// that a crash left after the last checkpoint), and opens the file for appending.
    /// Errors: kBrokenChain, also when there are fewer entries.
    static Result<Journal> reopen(const std::filesystem::path& path, std::uint64_t entries);

    /// After a failure the line is removed, and append() fails until the journal is reopened.
    Status append(const Edit& edit, const Program& after, std::uint64_t step, std::string reason);
    std::uint64_t size() const { return entries_; }
    const std::string& last_hash() const { return last_hash_; }

  private:
    Journal(LineAppender file, std::filesystem::path path, std::uint64_t entries,
            std::string last_hash);
    LineAppender file_;
    std::filesystem::path path_;
    std::uint64_t entries_ = 0;
    std::string last_hash_;
    bool failed_ = false;
};

/// Reads and verifies the chain. Error: kBrokenChain, with the line, for any line that was changed
/// (even by one byte), removed, added or reordered, and for malformed lines. Missing lines at the
/// end cannot be detected: compare the size or the last hash with the checkpoint's.
Result<std::vector<JournalEntry>> read_journal(const std::filesystem::path& path);

/// The same from the file's content.
Result<std::vector<JournalEntry>> parse_journal(std::string_view content);

/// Applies every edit to the initial Program, checking the hash after each one.
/// Errors: kBrokenChain, kHashMismatch, and what apply() reports.
Result<ProgramPtr> replay(const std::vector<JournalEntry>& entries);

}  // namespace esper::graph
