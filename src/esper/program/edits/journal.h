#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/files.h"
#include "esper/program/edits/edits.h"

namespace esper::graph {

/// One line of `journal.jsonl`. `hash` = SHA-256 over the previous entry's hash and this entry's
/// canonical JSON without `hash` (docs/program.md); the first entry holds the initial Program
/// itself and has 64 zeros as `previous`.
struct JournalEntry {
    std::uint64_t index = 0;
    std::uint64_t step = 0;
    std::string previous;
    std::string program_sha256;  ///< of the Program after this entry
    std::string hash;
    std::optional<Edit> edit;  ///< absent in entry 0, which carries `initial`
    ProgramPtr initial;        ///< present in entry 0 only
    std::string reason;        ///< one sentence, for people
};

/// The hash-chained list of edits of one run, append-only, one JSON line each, synced before
/// append() returns. Not thread-safe. Errors of writing are FileError's.
class Journal {
  public:
    /// Errors: FileError::kUnwritable, also where the file exists already.
    static Result<Journal> create(const std::filesystem::path& path, const Program& initial);
    /// Opens for appending after verifying the first `entries` entries; cuts off whatever follows
    /// them (what a crash left after the last checkpoint, also half a line).
    /// Errors: kBrokenChain, also where there are fewer entries.
    static Result<Journal> reopen(const std::filesystem::path& path, std::uint64_t entries);

    /// After a failure the line is taken back, and nothing more is accepted until the journal is
    /// reopened.
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

/// Reads and verifies the chain. Errors: kBrokenChain for any line that was changed (by a single
/// byte), removed, added or reordered; kMalformed is reported as kBrokenChain too, naming the line.
/// Lines missing at the end leave a sound, shorter chain: compare size or last hash with what the
/// checkpoint recorded.
Result<std::vector<JournalEntry>> read_journal(const std::filesystem::path& path);

/// The same for a journal's content.
Result<std::vector<JournalEntry>> parse_journal(std::string_view content);

/// Applies every edit to the initial Program, checking the hash after each one.
/// Errors: kBrokenChain, kHashMismatch, and what apply() reports.
Result<ProgramPtr> replay(const std::vector<JournalEntry>& entries);

}  // namespace esper::graph
