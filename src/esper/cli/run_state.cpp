#include "esper/cli/run_state.h"

#include <fmt/format.h>

#include <cstdio>

#include "esper/base/text.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/run_journal.h"
#include "esper/services/tolaria/learn/checkpoint.h"

namespace esper::cli {

using tolaria::TolariaError;

Result<RunState> load_checkpoint(const std::filesystem::path& file,
                                 const tolaria::Learner::Options& how) {
    ESPER_TRY(const auto checkpoint, tolaria::read_checkpoint(file));
    auto found = tolaria::read_learner(checkpoint, how);
    if (!found) return fail(found.error().within(file.string()));
    ESPER_TRY(auto head, records::read_checkpoint_head(file));
    return RunState{std::move(found->learner), found->step, "", std::move(head)};
}

Result<RunState> load_run(const std::filesystem::path& folder, const std::string& which,
                          const tolaria::Learner::Options& how) {
    ESPER_TRY(const auto record, records::read_run_json(folder));
    // A run of Python says on which path its module ran; its tensors are the user's to save.
    if (record.contains("path"))
        return fail(TolariaError::kUnsupported,
                    folder.string() +
                        " is a run of a Python loop, which keeps no checkpoints of the network; "
                        "save the module there, or write it with growth.export(folder)");
    const tolaria::CheckpointRing ring(folder / "checkpoints", 1);
    const bool has_best = ring.find("best").has_value();
    const std::string name = !which.empty() ? which : has_best ? "best" : "last";
    ESPER_TRY(const auto file, ring.find(name));
    ESPER_TRY(auto run, load_checkpoint(file, how));
    run.checkpoint = name;
    return run;
}

std::string name_of(const RunState& run) {
    const bool by_name = run.checkpoint == "best" || run.checkpoint == "last";
    return fmt::format("{}checkpoint (step {})", by_name ? run.checkpoint + " " : "", run.step);
}

Result<std::vector<graph::JournalEntry>> journal_of(const RunState& run,
                                                    const std::filesystem::path& folder) {
    ESPER_TRY(auto journal, records::read_run_journal(folder));
    ESPER_CHECK_STATUS(records::cut_to_checkpoint(journal, run.head, folder));
    return journal;
}

int report_error(const Error& error) {
    // Names of files and answers of servers stand in messages; each line is made safe by itself.
    auto lines = split(error.message(), '\n');
    for (auto& line : lines) line = records::printable(line);
    std::fprintf(stderr, "esper: %s\n", join(lines, "\n").c_str());
    return error.exit_code();
}

}  // namespace esper::cli
