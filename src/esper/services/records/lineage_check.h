#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/program/edits/journal.h"
#include "esper/services/records/records_errors.h"

namespace esper::records {

/// What a checkpoint says of the journal it was written beside.
struct CheckpointHead {
    std::int64_t step = 0;
    std::string program_sha256;
    std::uint64_t journal_entries = 0;
    std::string data_fingerprint;
};

/// Reads the head of a `.ckpt` file (docs: learn/checkpoint.h) without its tensors and without
/// verifying its SHA-256. Errors: FileError's, kBadRecord.
Result<CheckpointHead> read_checkpoint_head(const std::filesystem::path& file);

/// The newest checkpoint in the run's folder whose head can be read; nothing where there is none.
std::optional<CheckpointHead> newest_checkpoint(const std::filesystem::path& folder);

/// Cuts the journal to the edits that led to the checkpoint's Program. A run that was killed, or
/// that goes on, has more of them than its checkpoint. An empty journal fits a checkpoint without
/// one. Errors: kForeignJournal where entries are missing, or where they led to another Program:
/// journal and checkpoint are then not of one history.
Status cut_to_checkpoint(std::vector<graph::JournalEntry>& journal, const CheckpointHead& head,
                         const std::filesystem::path& folder);

/// The same check for a whole run: its journal against its newest checkpoint, or, for a run of
/// Python, which has none, against the Program that run.json names.
Status check_history(const std::vector<graph::JournalEntry>& journal,
                     const std::optional<CheckpointHead>& newest,
                     const std::filesystem::path& folder, const std::string& program_sha256);

}  // namespace esper::records
