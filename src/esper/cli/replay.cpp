#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"

namespace esper::cli {

namespace {

Status replay_run(const std::filesystem::path& folder) {
    ESPER_CHECK_STATUS(check_run_folder(folder));
    ESPER_TRY(const auto entries, graph::read_journal(folder / "journal.jsonl"));
    ESPER_TRY(const auto program, graph::replay(entries));
    ESPER_TRY(const auto text, read_file(folder / "run.json"));
    const auto run = nlohmann::json::parse(text, nullptr, false);
    const auto hash = program->hash().hex();
    std::printf("program %s\n", hash.c_str());
    if (!run.is_object() || run.value("program_sha256", "") != hash)
        return fail(graph::GraphError::kHashMismatch,
                    "the journal leads to another Program than run.json names (" +
                        (run.is_object() ? run.value("program_sha256", "none") : "none") + ")");
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
