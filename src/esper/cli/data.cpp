#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/data_info.h"
#include "esper/cli/data_tokens.h"
#include "esper/cli/fetch.h"
#include "esper/cli/run_state.h"
#include "esper/services/tolaria/data/open_dataset.h"

namespace esper::cli {

namespace {

int list() {
    std::printf(
        "your own: 'esper data info PATH' says what a file or folder is, 'esper train PATH' "
        "trains\n"
        "text     characters of any UTF-8 file; data/tinyshakespeare.txt is bundled\n"
        "cifar10  the binary files (data_batch_1.bin …) in %s: %s\n"
        "drawn    pictures drawn on demand; needs no files\n",
        tolaria::kCifar10Folder,
        std::filesystem::exists(tolaria::find_data(tolaria::kCifar10Folder)) ? "here" : "not here");
    return 0;
}

/// One of the sets that have a name.
int info_of_named(const std::string& name) {
    tolaria::DataOptions options;
    options.name = name;
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
    auto* command =
        app.add_subcommand("data", "data sets: list, info PATH, tokens PATH, fetch NAME");
    command->require_subcommand(1);
    command->add_subcommand("list", "the data sets there are")->callback([&exit_code] {
        exit_code = list();
    });
    auto asked = std::make_shared<InfoArguments>();
    auto* about = command->add_subcommand(
        "info", "what data are: format, classes, sizes, samples, and the configuration to train");
    about->add_option("path", asked->path, "a file or a folder, or text, cifar10, drawn")
        ->required();
    about->add_option("overrides", asked->overrides, "data.target=NAME, data.task=regression, …");
    about->add_option("--png", asked->png, "write samples of the images into this file");
    about->callback([asked, &exit_code] {
        const bool named =
            asked->path == "text" || asked->path == "cifar10" || asked->path == "drawn";
        if (named && asked->overrides.empty() && asked->png.empty()) {
            exit_code = info_of_named(asked->path);
            return;
        }
        auto done = show_data(*asked);
        exit_code = done ? 0 : report_error(done.error());
    });
    auto divided = std::make_shared<TokensArguments>();
    auto* tokens = command->add_subcommand("tokens", "divide a text into tokens, for training");
    tokens->add_option("path", divided->path, "a text, a folder or a pattern of texts")->required();
    tokens->add_option("--tokenizer", divided->tokenizer,
                       "bytes (default), or a tokenizer.json with a byte-level BPE");
    tokens->add_option("-o,--out", divided->out, "the .bin or .npy file that is written")
        ->required();
    tokens->callback([divided, &exit_code] {
        const auto done = write_tokens(*divided);
        exit_code = done ? 0 : report_error(done.error());
    });
    auto name = std::make_shared<std::string>();
    auto* fetched = command->add_subcommand("fetch", "download a data set into data/");
    fetched->add_option("name", *name, "text, cifar10 or drawn")->required();
    fetched->callback([name, &exit_code] {
        auto done = fetch_data(*name);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
