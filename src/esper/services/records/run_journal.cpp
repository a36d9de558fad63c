#include "esper/services/records/run_journal.h"

namespace esper::records {

Result<std::vector<graph::JournalEntry>> read_run_journal(const std::filesystem::path& folder) {
    auto entries = graph::read_journal(folder / "journal.jsonl");
    if (!entries && entries.error().is(FileError::kNotFound))
        return std::vector<graph::JournalEntry>{};
    return entries;
}

}  // namespace esper::records
