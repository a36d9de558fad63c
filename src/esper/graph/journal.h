#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/files.h"
#include "esper/graph/edits.h"

namespace esper::graph {

/// One line of `journal.jsonl`. `hash` = SHA-256 over the previous entry's hash and this entry's
/// canonical JSON without `hash`; the first entry holds the initial Program itself.
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

/// The hash-chained list of edits of one run, append-only, one JSON line each, synced.
class Journal {
  public:
    static Result<Journal> create(const std::filesystem::path& path, const Program& initial);
    /// Opens for appending after verifying; cuts off whatever follows `entries` (what a crash left
    /// after the last checkpoint).
    static Result<Journal> reopen(const std::filesystem::path& path, std::uint64_t entries);

    Status append(const Edit& edit, const Program& after, std::uint64_t step, std::string reason);
    std::uint64_t size() const { return entries_; }
    const std::string& last_hash() const { return last_hash_; }

  private:
    Journal(LineAppender file, std::uint64_t entries, std::string last_hash);
    LineAppender file_;
    std::uint64_t entries_ = 0;
    std::string last_hash_;
};

/// Reads and verifies the chain. Errors: kBrokenChain for any line that was changed, removed,
/// added or reordered; kMalformed is reported as kBrokenChain too, naming the line.
Result<std::vector<JournalEntry>> read_journal(const std::filesystem::path& path);

/// Applies every edit to the initial Program, checking the hash after each one.
/// Errors: kBrokenChain, kHashMismatch, and what apply() reports.
Result<ProgramPtr> replay(const std::vector<JournalEntry>& entries);

}  // namespace esper::graph
