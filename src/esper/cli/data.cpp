#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/fetch.h"
#include "esper/cli/run_state.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::cli {

namespace {

int list() {
    std::printf(
        "text     characters of any UTF-8 file; data/tinyshakespeare.txt is bundled\n"
        "cifar10  the binary files (data_batch_1.bin …) in %s: %s\n"
        "drawn    pictures drawn on demand; needs no files\n",
        tolaria::kCifar10Folder,
        std::filesystem::exists(tolaria::find_data(tolaria::kCifar10Folder)) ? "here" : "not here");
    return 0;
}

int info(const std::string& path) {
    tolaria::DataOptions options;
    if (path == "text" || path == "cifar10" || path == "drawn") {
        options.name = path;
    } else {
        options.path = path;
        options.name = std::filesystem::is_directory(path) ? "cifar10" : "text";
    }
    auto data = tolaria::open_dataset(options);
    if (!data) return report_error(data.error());
    const auto& about = (*data)->info();
    std::printf("%s: %s, %lld %s\n", about.name.c_str(), about.tokens ? "tokens" : "images",
                static_cast<long long>(about.classes), about.tokens ? "characters" : "classes");
    for (auto part : tolaria::kAllParts)
        std::printf("  %-10s %u examples\n", std::string(tolaria::to_text(part)).c_str(),
                    (*data)->size(part));
    std::printf("  fingerprint %s\n", about.fingerprint.c_str());
    return 0;
}

}  // namespace

void add_data(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("data", "data sets: list, info PATH, fetch NAME");
    command->require_subcommand(1);
    command->add_subcommand("list", "the data sets there are")->callback([&exit_code] {
        exit_code = list();
    });
    auto path = std::make_shared<std::string>();
    auto* about = command->add_subcommand("info", "sizes and fingerprint of a data set");
    about->add_option("path", *path, "a text file, CIFAR-10's folder, or a name")->required();
    about->callback([path, &exit_code] { exit_code = info(*path); });
    auto name = std::make_shared<std::string>();
    auto* fetched = command->add_subcommand("fetch", "download a data set into data/");
    fetched->add_option("name", *name, "text, cifar10 or drawn")->required();
    fetched->callback([name, &exit_code] {
        auto done = fetch_data(*name);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
