#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/services/records/run_files.h"

namespace esper::cli {

namespace {

Status replay_run(const std::filesystem::path& folder) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    ESPER_TRY(const auto entries, graph::read_journal(folder / "journal.jsonl"));
    ESPER_TRY(const auto program, graph::replay(entries));
    const auto hash = program->hash().hex();
    std::printf("program %s\n", hash.c_str());
    if (const auto named = records::text_of(run, "program_sha256"); named != hash)
        return fail(graph::GraphError::kHashMismatch,
                    "the journal leads to another Program than run.json names (" +
                        (named.empty() ? "none" : named) + ")");
    std::fprintf(stderr, "%zu edits verified\n", entries.size() - 1);
    return {};
}

}  // namespace

void add_replay(CLI::App& app, int& exit_code) {
    auto folder = std::make_shared<std::string>();
    auto* command =
        app.add_subcommand("replay", "rebuild the last Program from the journal, and verify it");
    command->add_option("folder", *folder, "the run's folder")->required();
    command->callback([folder, &exit_code] {
        auto done = replay_run(*folder);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
