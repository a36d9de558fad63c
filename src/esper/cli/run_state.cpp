#include "esper/cli/run_state.h"

#include <cstdio>

#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/learn/checkpoint.h"

namespace esper::cli {

using tolaria::TolariaError;

Result<RunState> load_checkpoint(const std::filesystem::path& file) {
    ESPER_TRY(const auto checkpoint, tolaria::read_checkpoint(file));
    auto found = tolaria::read_learner(checkpoint);
    if (!found) return fail(found.error().within(file.string()));
    return RunState{std::move(found->learner), found->step};
}

Result<RunState> load_run(const std::filesystem::path& folder, const std::string& which) {
    ESPER_CHECK_STATUS(check_run_folder(folder));
    const tolaria::CheckpointRing ring(folder / "checkpoints", 1);
    ESPER_TRY(const auto file, ring.find(which));
    return load_checkpoint(file);
}

Result<std::vector<graph::JournalEntry>> load_journal(const std::filesystem::path& folder) {
    const auto path = folder / "journal.jsonl";
    if (!std::filesystem::exists(path)) return std::vector<graph::JournalEntry>{};
    return graph::read_journal(path);
}

Status check_run_folder(const std::filesystem::path& folder) {
    if (std::filesystem::exists(folder / "run.json")) return {};
    return fail(TolariaError::kBadRunFolder,
                folder.string() + " is not a run's folder (it has no run.json)");
}

int report_error(const Error& error) {
    std::fprintf(stderr, "esper: %s\n", error.message().c_str());
    return error.exit_code();
}

}  // namespace esper::cli
