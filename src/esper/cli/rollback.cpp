#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/run_lock.h"

namespace esper::cli {

namespace {

using records::RecordsError;

Status request_rollback(const std::filesystem::path& folder) {
    ESPER_CHECK_STATUS(records::check_run_folder(folder));
    ESPER_TRY(const auto process, records::RunLock::holder(folder));
    if (!process)
        return fail(RecordsError::kBadRunFolder,
                    folder.string() +
                        " is not running here, so there is nothing to take back; "
                        "'esper resume' goes on from its newest checkpoint");
    if (::kill(*process, SIGUSR1) != 0)
        return fail(RecordsError::kFolderInUse,
                    fmt::format("cannot reach process {}: {}", *process, std::strerror(errno)));
    std::fprintf(stderr,
                 "asked process %d to go back to its last checkpoint; events.jsonl will say where "
                 "it went\n",
                 *process);
    return {};
}

}  // namespace

void add_rollback(CLI::App& app, int& exit_code) {
    auto folder = std::make_shared<std::string>();
    auto* command = app.add_subcommand(
        "rollback", "make a running run go back to its last checkpoint and shut the newest seed");
    command->add_option("folder", *folder, "the run's folder")->required();
    command->callback([folder, &exit_code] {
        auto done = request_rollback(*folder);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
