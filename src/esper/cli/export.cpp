#include "esper/cli/export.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/exchange/exporters/lineage.h"
#include "esper/exchange/exporters/pytorch_code.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string folder;
    std::string out;
    std::string checkpoint;
};

}  // namespace

Result<std::vector<std::filesystem::path>> export_network(const std::filesystem::path& folder,
                                                          const std::string& checkpoint,
                                                          const std::filesystem::path& wanted) {
    ESPER_TRY(const auto run, load_run(folder, checkpoint));
    ESPER_TRY(const auto journal, journal_of(run, folder));
    ESPER_TRY(const auto code, graph::pytorch_code(*run.program()));
    ESPER_TRY(const auto tensors, graph::pytorch_tensors(*run.program(), run.store()));
    ESPER_TRY(const auto lineage,
              graph::lineage_json(*run.program(), journal,
                                  graph::LineageOrigin{run.checkpoint, run.step}));
    const auto out = wanted.empty() ? folder / "export" : wanted;
    std::error_code error;
    // The default lies in the run's folder, which may be a stranger's.
    if (wanted.empty() && std::filesystem::is_symlink(out, error))
        return fail(OwnFileError::kSymbolicLink,
                    out.string() +
                        " is a symbolic link, which is not followed; name the folder "
                        "with -o");
    std::filesystem::create_directories(out, error);
    if (error)
        return fail(FileError::kUnwritable, "cannot make " + out.string() + ": " + error.message());
    ESPER_CHECK_STATUS(graph::write_safetensors(out / "model.safetensors", tensors));
    ESPER_CHECK_STATUS(write_file_atomic(out / "model.py", code));
    ESPER_CHECK_STATUS(write_file_atomic(out / "lineage.json", lineage));
    std::fprintf(stderr, "exported the %s\n", name_of(run).c_str());
    return std::vector{out / "model.safetensors", out / "model.py", out / "lineage.json"};
}

void add_export(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("export", "write the network as plain PyTorch");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("-o,--out", a->out, "where to (default: export/ in the run's folder)");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->callback([a, &exit_code] {
        const auto files = export_network(a->folder, a->checkpoint, a->out);
        exit_code = files ? 0 : report_error(files.error());
        if (!files) return;
        for (const auto& file : *files) std::printf("%s\n", file.c_str());
    });
}

}  // namespace esper::cli
