#include "esper/cli/export.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/cli/commands.h"
#include "esper/cli/host_adapter.h"
#include "esper/cli/run_state.h"
#include "esper/exchange/exporters/lineage.h"
#include "esper/exchange/exporters/pytorch_code.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string folder;
    std::string out;
    std::string checkpoint;
    std::string adapter;
};

/// What the lineage of a network says of the adapter on it.
std::string with_adapter(const std::string& lineage, const tolaria::AdapterFile& adapter,
                         const graph::Program& adapted) {
    auto said = nlohmann::json::parse(lineage);
    const auto& part = adapter.part;
    said["adapter"] = {{"name", adapter.name},           {"purpose", adapter.purpose},
                       {"host", adapter.host.host},      {"anchor", part.anchor},
                       {"blueprint", part.blueprint},    {"width", part.width},
                       {"parameters", part.parameters()}};
    said["adapter"]["program_sha256"] = adapted.hash().hex();
    if (!adapter.classes.empty()) said["adapter"]["classes"] = adapter.classes;
    return said.dump(2) + "\n";
}

}  // namespace

Result<std::vector<std::filesystem::path>> export_network(const std::filesystem::path& folder,
                                                          const std::string& checkpoint,
                                                          const std::filesystem::path& wanted,
                                                          const std::string& adapter) {
    ESPER_TRY(auto run, load_run(folder, checkpoint));
    ESPER_TRY(const auto journal, journal_of(run, folder));
    ESPER_TRY(auto lineage, graph::lineage_json(*run.program(), journal,
                                                graph::LineageOrigin{run.checkpoint, run.step}));
    std::string with;
    if (!adapter.empty()) {
        ESPER_TRY(const auto put, put_adapter_on(run, folder, adapter));
        lineage = with_adapter(lineage, put, *run.program());
        with = put.name;
    }
    ESPER_TRY(const auto code, graph::pytorch_code(*run.program()));
    ESPER_TRY(const auto tensors, graph::pytorch_tensors(*run.program(), run.store()));
    const auto out =
        wanted.empty() ? folder / (with.empty() ? "export" : "export-" + with) : wanted;
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
    std::fprintf(stderr, "exported the %s%s\n", name_of(run).c_str(),
                 with.empty() ? "" : (" with " + with).c_str());
    return std::vector{out / "model.safetensors", out / "model.py", out / "lineage.json"};
}

void add_export(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("export", "write the network as plain PyTorch");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("-o,--out", a->out,
                        "where to (default: export/ in the run's folder, with an adapter "
                        "export-<adapter>/)");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->add_option("--adapter", a->adapter, kAdapterHelp);
    command->callback([a, &exit_code] {
        const auto files = export_network(a->folder, a->checkpoint, a->out, a->adapter);
        exit_code = files ? 0 : report_error(files.error());
        if (!files) return;
        for (const auto& file : *files) std::printf("%s\n", file.c_str());
    });
}

}  // namespace esper::cli
