#include "esper/program/edits/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "esper/base/own_file.h"
#include "esper/program/edits/journal_entry.h"

namespace esper::graph {
namespace {

tl::unexpected<Error> broken(std::size_t line, std::string_view message) {
    return fail(GraphError::kBrokenChain, fmt::format("journal, line {}: {}", line, message));
}

Status check_links(const JournalEntry& entry, std::size_t index, std::string_view previous) {
    const std::size_t line = index + 1;
    if (entry.index != index) {
        return broken(line,
                      fmt::format("expected entry {}, got entry {}; lines were removed, added "
                                  "or reordered",
                                  index, entry.index));
    }
    if (entry.previous != previous) {
        return broken(line, "it does not follow from the line before it");
    }
    if (index == 0 ? !entry.initial || entry.edit : entry.initial || !entry.edit) {
        return broken(line, index == 0 ? "the first entry must hold the first Program and no edit"
                                       : "expected an edit");
    }
    return {};
}

// Reads up to `limit` entries; `used` becomes the number of bytes they take.
Result<std::vector<JournalEntry>> read_entries(std::string_view content, std::uint64_t limit,
                                               std::size_t& used) {
    std::vector<JournalEntry> entries;
    std::string previous(kNoPrevious);
    used = 0;
    while (used < content.size() && entries.size() < limit) {
        const std::size_t line = entries.size() + 1;
        const std::size_t end = content.find('\n', used);
        if (end == std::string_view::npos) return broken(line, "it has no line end; it was cut");
        auto entry = entry_from_line(content.substr(used, end - used));
        if (!entry) return broken(line, entry.error().message());
        ESPER_CHECK_STATUS(check_links(*entry, entries.size(), previous));
        previous = entry->hash;
        entries.push_back(std::move(*entry));
        used = end + 1;
    }
    return entries;
}

}  // namespace

Journal::Journal(LineAppender file, std::filesystem::path path, std::uint64_t entries,
                 std::string last_hash)
    : file_(std::move(file)),
      path_(std::move(path)),
      entries_(entries),
      last_hash_(std::move(last_hash)) {}

Result<Journal> Journal::create(const std::filesystem::path& path, const Program& initial) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
        return fail(FileError::kUnwritable,
                    fmt::format("{}: there is a journal already; reopen it, or start in another "
                                "folder",
                                path.string()));
    }
    JournalEntry entry;
    entry.previous = kNoPrevious;
    entry.program_sha256 = initial.hash().hex();
    ESPER_TRY(entry.initial, Program::make(initial.parts()));
    entry.reason = "the first Program";
    entry.hash = entry_hash(entry);
    // Whole or not at all, so that no crash leaves a journal without its first Program.
    ESPER_CHECK_STATUS(write_file_atomic(path, entry_line(entry) + '\n'));
    ESPER_TRY(LineAppender file, LineAppender::open(path));
    return Journal(std::move(file), path, 1, std::move(entry.hash));
}

Result<Journal> Journal::reopen(const std::filesystem::path& path, std::uint64_t entries) {
    ESPER_TRY(const std::string content, read_own_file(path));
    std::size_t used = 0;
    ESPER_TRY(const auto read, read_entries(content, entries, used));
    if (read.empty() || read.size() < entries) {
        return broken(read.size() + 1,
                      fmt::format("expected {} entries, there are {}; use the journal that belongs "
                                  "to the checkpoint",
                                  std::max<std::uint64_t>(entries, 1), read.size()));
    }
    if (used < content.size()) ESPER_CHECK_STATUS(truncate_file(path, used));
    ESPER_TRY(LineAppender file, LineAppender::open(path));
    ESPER_CHECK_STATUS(file.sync());
    return Journal(std::move(file), path, entries, read.back().hash);
}

Status Journal::append(const Edit& edit, const Program& after, std::uint64_t step,
                       std::string reason) {
    if (failed_) {
        return fail(FileError::kUnwritable,
                    fmt::format("{}: an earlier entry could not be written; reopen the journal",
                                path_.string()));
    }
    JournalEntry entry{entries_, step, last_hash_, after.hash().hex(),
                       "",       edit, nullptr,    std::move(reason)};
    entry.hash = entry_hash(entry);
    const std::uint64_t before = file_.size();
    Status written = file_.append(entry_line(entry));
    if (written) written = file_.sync();
    if (!written) {
        failed_ = true;
        // Should this fail as well, reopen() cuts what is too much.
        [[maybe_unused]] const Status cut = truncate_file(path_, before);
        return written;
    }
    ++entries_;
    last_hash_ = std::move(entry.hash);
    return {};
}

Result<std::vector<JournalEntry>> parse_journal(std::string_view content) {
    if (content.empty()) return broken(1, "the journal is empty");
    std::size_t used = 0;
    return read_entries(content, content.size(), used);
}

Result<std::vector<JournalEntry>> read_journal(const std::filesystem::path& path) {
    ESPER_TRY(const std::string content, read_own_file(path));
    auto entries = parse_journal(content);
    if (!entries) return fail(entries.error().within(path.string()));
    return entries;
}

Result<ProgramPtr> replay(const std::vector<JournalEntry>& entries) {
    if (entries.empty()) return broken(1, "the journal is empty");
    ProgramPtr program;
    std::string_view previous = kNoPrevious;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const JournalEntry& entry = entries[i];
        ESPER_CHECK_STATUS(check_links(entry, i, previous));
        if (entry.edit) {
            auto edited = apply(*program, *entry.edit);
            if (!edited) return fail(edited.error().within(fmt::format("journal, line {}", i + 1)));
            program = std::move(*edited);
        } else {
            program = entry.initial;
        }
        if (program->hash().hex() != entry.program_sha256) {
            return fail(GraphError::kHashMismatch,
                        fmt::format("journal, line {}: the Program after it has the hash {}, the "
                                    "entry claims {}",
                                    i + 1, program->hash().hex(), entry.program_sha256));
        }
        previous = entry.hash;
    }
    return program;
}

}  // namespace esper::graph
