#include "esper/services/records/lineage_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/services/records/fields.h"

namespace esper::records {

namespace fs = std::filesystem;

namespace {

// The envelope of base/files.h (magic, version, length), then the length of the JSON.
constexpr std::size_t kEnvelope = 8 + 4 + 8;
constexpr std::uint64_t kLongestHead = std::uint64_t{1} << 30;

tl::unexpected<Error> bad(const fs::path& file, const std::string& why) {
    return fail(RecordsError::kBadRecord, file.string() + " is no checkpoint: " + why);
}

Result<std::string> head_text(const fs::path& file) {
    struct Closed {
        int fd;
        ~Closed() {
            if (fd >= 0) ::close(fd);
        }
    };
    const Closed in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)};
    struct stat info {};
    if (in.fd < 0 || ::fstat(in.fd, &info) != 0 || !S_ISREG(info.st_mode))
        return fail(FileError::kUnreadable, file.string() + ": cannot read: " +
                                                (in.fd < 0 ? std::strerror(errno) : "not a file"));
    char fixed[kEnvelope + 8] = {};
    if (::pread(in.fd, fixed, sizeof fixed, 0) != static_cast<ssize_t>(sizeof fixed))
        return bad(file, "it ends before its head");
    if (std::memcmp(fixed, "ESPRCKPT", 8) != 0) return bad(file, "it begins otherwise");
    std::uint64_t length = 0;
    std::memcpy(&length, fixed + kEnvelope, 8);
    if (length > kLongestHead || length > static_cast<std::uint64_t>(info.st_size))
        return bad(file, "it claims a head longer than itself");
    std::string text(length, '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const auto got = ::pread(in.fd, text.data() + have, text.size() - have,
                                 static_cast<off_t>(sizeof fixed + have));
        if (got <= 0) return bad(file, "it ends within its head");
        have += static_cast<std::size_t>(got);
    }
    return text;
}

}  // namespace

Result<CheckpointHead> read_checkpoint_head(const fs::path& file) {
    using enum FieldType;
    static constexpr Field kFields[] = {{"step", kInteger},
                                        {"program_sha256", kText},
                                        {"journal_entries", kInteger},
                                        {"data", kText}};
    ESPER_TRY(const auto text, head_text(file));
    auto header = nlohmann::json::parse(text, nullptr, false);
    if (!header.is_object() || !header.contains("state") || !header["state"].is_object())
        return bad(file, "its head is not the JSON it should be");
    const auto& state = header["state"];
    if (auto checked = check_fields(state, kFields); !checked)
        return fail(checked.error().within(file.string()));
    return CheckpointHead{integer_of(state, "step"), text_of(state, "program_sha256"),
                          static_cast<std::uint64_t>(integer_of(state, "journal_entries")),
                          text_of(state, "data")};
}

std::optional<CheckpointHead> newest_checkpoint(const fs::path& folder) {
    std::vector<std::pair<std::int64_t, fs::path>> files;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints", ignored)) {
        const auto name = entry.path().filename().string();
        for (const std::string_view prefix : {"step-", "stopped-"})
            if (name.starts_with(prefix) && name.ends_with(".ckpt"))
                files.emplace_back(std::atoll(name.c_str() + prefix.size()), entry.path());
    }
    std::sort(files.rbegin(), files.rend());
    for (const auto& [step, file] : files)
        if (auto head = read_checkpoint_head(file)) return *head;
    return std::nullopt;
}

Status cut_to_checkpoint(std::vector<graph::JournalEntry>& journal, const CheckpointHead& head,
                         const fs::path& folder) {
    const auto file = (folder / "journal.jsonl").string();
    if (journal.size() < head.journal_entries)
        return fail(RecordsError::kForeignJournal,
                    fmt::format("{} has {} entries and the checkpoint of step {} was written after "
                                "{}: lines are missing at its end",
                                file, journal.size(), head.step, head.journal_entries));
    if (journal.empty()) return {};
    const auto length = std::max<std::uint64_t>(head.journal_entries, 1);
    journal.erase(journal.begin() + static_cast<std::ptrdiff_t>(length), journal.end());
    if (journal.back().program_sha256 != head.program_sha256)
        return fail(
            RecordsError::kForeignJournal,
            fmt::format("{} leads to the Program {:.12} and the checkpoint of step {} holds "
                        "{:.12}: they are not of one run",
                        file, journal.back().program_sha256, head.step, head.program_sha256));
    return {};
}

Status check_history(const std::vector<graph::JournalEntry>& journal,
                     const std::optional<CheckpointHead>& newest, const fs::path& folder,
                     const std::string& program_sha256) {
    if (newest) {
        auto copy = journal;
        return cut_to_checkpoint(copy, *newest, folder);
    }
    if (journal.empty() || program_sha256.empty()) return {};
    const bool known = std::any_of(journal.begin(), journal.end(), [&](const auto& entry) {
        return entry.program_sha256 == program_sha256;
    });
    if (known) return {};
    return fail(
        RecordsError::kForeignJournal,
        fmt::format("run.json names the Program {:.12}, to which no entry of {} leads: lines "
                    "are missing at its end, or they are not of one run",
                    program_sha256, (folder / "journal.jsonl").string()));
}

}  // namespace esper::records
