#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "esper/base/files.h"
#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/exchange/exporters/lineage.h"
#include "esper/exchange/exporters/pytorch_code.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string folder;
    std::string out;
    std::string checkpoint = "last";
};

Status export_run(const Arguments& a) {
    ESPER_TRY(const auto run, load_run(a.folder, a.checkpoint));
    ESPER_TRY(const auto journal, load_journal(a.folder));
    ESPER_TRY(const auto code, graph::pytorch_code(*run.program()));
    ESPER_TRY(const auto tensors, graph::pytorch_tensors(*run.program(), run.store()));
    const auto out =
        a.out.empty() ? std::filesystem::path(a.folder) / "export" : std::filesystem::path(a.out);
    std::error_code error;
    std::filesystem::create_directories(out, error);
    if (error)
        return fail(FileError::kUnwritable, "cannot make " + out.string() + ": " + error.message());
    ESPER_CHECK_STATUS(graph::write_safetensors(out / "model.safetensors", tensors));
    ESPER_CHECK_STATUS(write_file_atomic(out / "model.py", code));
    ESPER_CHECK_STATUS(
        write_file_atomic(out / "lineage.json", graph::lineage_json(*run.program(), journal)));
    for (const auto* name : {"model.safetensors", "model.py", "lineage.json"})
        std::printf("%s\n", (out / name).c_str());
    return {};
}

}  // namespace

void add_export(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("export", "write the network as plain PyTorch");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("-o,--out", a->out, "where to (default: export/ in the run's folder)");
    command->add_option("--checkpoint", a->checkpoint, "best, last or a step");
    command->callback([a, &exit_code] {
        auto done = export_run(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
