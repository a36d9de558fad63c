#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/run_state.h"
#include "esper/services/tolaria/adapt/adapter_folder.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using tolaria::AdapterFile;
using tolaria::AdapterFolder;

struct Arguments {
    std::vector<std::string> where;
    std::string folder;
    std::string file;
    std::string name;
    std::string checkpoint;
    bool json = false;
};

void show(const AdapterFile& adapter, const fs::path& file, bool as_json) {
    const auto& part = adapter.part;
    if (as_json) {
        print_json_line({{"name", adapter.name},
                         {"file", file.string()},
                         {"purpose", adapter.purpose},
                         {"host", adapter.host.host},
                         {"anchor", part.anchor},
                         {"blueprint", part.blueprint},
                         {"width", part.width},
                         {"parameters", part.parameters()},
                         {"losses", adapter.losses}});
        return;
    }
    std::string losses;
    for (const auto& [name, loss] : adapter.losses)
        losses += fmt::format("{}{} {:.4f}", losses.empty() ? "" : "; ", name, loss);
    std::printf("%s: for host %.12s; %s of %lld units at %s, %lld parameters; %s; %s\n",
                adapter.name.c_str(), adapter.host.host.c_str(), part.blueprint.c_str(),
                static_cast<long long>(part.width), part.anchor.c_str(),
                static_cast<long long>(part.parameters()), losses.c_str(), adapter.purpose.c_str());
}

Status list(const Arguments& a) {
    for (const fs::path where : a.where) {
        std::error_code ignored;
        if (!fs::is_directory(where, ignored)) {
            ESPER_TRY(const auto adapter, tolaria::read_adapter(where));
            show(adapter, where, a.json);
            continue;
        }
        const AdapterFolder folder(where);
        ESPER_TRY(const auto adapters, folder.all());
        for (const auto& adapter : adapters) show(adapter, folder.file_of(adapter.name), a.json);
        if (adapters.empty() && !a.json)
            std::printf("%s has no adapters; 'esper adapt' makes one\n", where.c_str());
    }
    return {};
}

Status add(const Arguments& a) {
    ESPER_TRY(auto adapter, tolaria::read_adapter(a.file));
    if (!a.name.empty()) adapter.name = a.name;
    ESPER_CHECK_STATUS(tolaria::check_adapter_name(adapter.name));
    ESPER_TRY(const auto run, load_run(a.folder, a.checkpoint));
    ESPER_TRY(const auto host, tolaria::identity_of(*run.program(), run.store()));
    ESPER_CHECK_STATUS(tolaria::check_host(adapter, host));
    const AdapterFolder folder(a.folder);
    ESPER_TRY(const auto file, folder.add(adapter));
    show(adapter, file, a.json);
    return {};
}

}  // namespace

void add_adapters(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* adapters =
        app.add_subcommand("adapters", "the adapters of a run: ls, add, remove (see adapt)");
    adapters->require_subcommand(1);
    const auto does = [&exit_code, a](CLI::App* command, Status (*work)(const Arguments&)) {
        command->callback([a, work, &exit_code] {
            const auto done = work(*a);
            exit_code = done ? 0 : report_error(done.error());
        });
    };
    auto* ls = adapters->add_subcommand("ls", "what runs or files hold; nothing in them is run");
    ls->add_option("where", a->where, "folders of runs, files")->required();
    ls->add_flag("--json", a->json, "standard output is JSON lines only");
    does(ls, list);
    auto* added = adapters->add_subcommand("add", "give a run an adapter that was made for it");
    added->add_option("host", a->folder, "the run's folder")->required();
    added->add_option("file", a->file, "the adapter's file")->required();
    added->add_option("--name", a->name, "what it is called there (its own name)");
    added->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    added->add_flag("--json", a->json, "standard output is JSON lines only");
    does(added, add);
    auto* removed = adapters->add_subcommand("remove", "delete an adapter of a run");
    removed->add_option("host", a->folder, "the run's folder")->required();
    removed->add_option("name", a->name, "its name")->required();
    does(removed, [](const Arguments& given) -> Status {
        return AdapterFolder(given.folder).remove(given.name);
    });
}

}  // namespace esper::cli
