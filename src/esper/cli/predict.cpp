#include "esper/cli/predict.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "esper/cli/commands.h"
#include "esper/cli/host_adapter.h"
#include "esper/cli/run_config.h"
#include "esper/cli/views.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace {

using tolaria::DataError;

struct Arguments {
    std::string folder;
    std::vector<std::string> words;
    std::size_t top = 5;
    std::string out;
    std::string checkpoint;
    std::string adapter;
    bool tta = false;
    bool json = false;
};

Status refuse(const std::string& folder, const std::string& what) {
    return fail(tolaria::TolariaError::kUnsupported, folder + " was trained on " + what);
}

Status predict(const Arguments& a) {
    const std::filesystem::path folder(a.folder);
    std::vector<std::string> overrides;
    Predicting asked;
    for (const auto& word : a.words) {
        if (word.starts_with("data.") && word.find('=') != std::string::npos)
            overrides.push_back(word);
        else
            asked.paths.emplace_back(word);
    }
    if (asked.paths.empty())
        return fail(DataError::kBadOption,
                    "nothing to predict; name files or folders after the "
                    "run's folder");
    if (a.top < 1) return fail(DataError::kBadOption, "--top: expected a number from 1 on, got 0");
    ESPER_TRY(const auto config, load_config_to_look(folder, overrides));
    ESPER_TRY(asked.run, load_run(folder, a.checkpoint));
    ESPER_TRY(asked.data, open_run_data(config, asked.run.head.data_fingerprint, folder));
    asked.run.learner->engine().set_precision(tolaria::Learner::options_of(config).precision);
    asked.top = a.top;
    asked.out = a.out;
    asked.json = a.json;
    const auto& info = asked.data->info();
    if (info.tokens) return refuse(a.folder, "text; 'esper sample RUN --prompt TEXT' continues it");
    const bool images = info.input_shape.size() == 3;
    if (!images && config.data.kind != configs::DataKind::kTable)
        return refuse(
            a.folder,
            "arrays of numbers, whose columns have no names; predict takes images and "
            "CSV and Parquet tables. 'esper export RUN' writes the network as plain PyTorch");
    if (images && !a.out.empty())
        return fail(DataError::kBadOption,
                    "-o is for tables; of images --json is a file's content");
    if (a.tta) {
        ESPER_TRY(asked.views, views_for(info, config));
    }
    std::string with;
    if (!a.adapter.empty()) {
        ESPER_TRY(auto adapter, put_adapter_on(asked.run, folder, a.adapter));
        asked.classes = std::move(adapter.classes);
        with = " with " + adapter.name;
    }
    std::fprintf(stderr, "%s of %s%s\n", name_of(asked.run).c_str(), folder.c_str(), with.c_str());
    return images ? predict_images(asked) : predict_tables(asked);
}

}  // namespace

std::string Predicting::class_name(std::int64_t number) const {
    const auto& names = classes.empty() ? data->info().class_names : classes;
    const auto place = static_cast<std::size_t>(number);
    return place < names.size() ? names[place] : fmt::format("{}", number);
}

void add_predict(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand(
        "predict", "what a run's network makes of images, or of the rows of a table");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command
        ->add_option(
            "paths", a->words,
            "JPEG and PNG files, folders of them, or CSV or Parquet files; data.path=… where the "
            "training data have moved")
        ->required();
    command->add_option("--top", a->top, "how many classes are named (default: 5)");
    command->add_option("-o,--out", a->out,
                        "of one table: the CSV file that is written (default: standard output)");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->add_option("--adapter", a->adapter, kAdapterHelp);
    command->add_flag("--tta", a->tta, kTtaHelp);
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, &exit_code] {
        const auto done = predict(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
