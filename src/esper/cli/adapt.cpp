#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/base/files.h"
#include "esper/cli/adapt_text.h"
#include "esper/cli/commands.h"
#include "esper/cli/drive.h"
#include "esper/cli/host_data.h"
#include "esper/cli/model_as_run.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_state.h"
#include "esper/cli/signals.h"
#include "esper/cli/unfinished_folder.h"
#include "esper/services/tolaria/adapt/adaptation.h"
#include "esper/services/tolaria/adapt/adapter_folder.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tolaria::AdaptError;
using tolaria::Part;

struct Arguments {
    std::string folder;  ///< of a run, or a model's file
    std::string run;     ///< where a run is made of the model
    std::string data;
    std::vector<std::string> overrides;
    std::string parameters = "25%";
    std::string budget;
    double epochs = 2;
    double rate = 0;
    std::vector<std::string> places;
    std::string name = "adapter";
    std::string purpose;
    std::string out;
    std::string checkpoint;
    std::int64_t seed = -1;
    OutputFlags output;
};

/// `25%` is a share, `0.25` too, `50000` a number.
std::optional<double> parameters_of(std::string text) {
    const bool percent = text.ends_with('%');
    if (percent) text.pop_back();
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end) / (percent ? 100 : 1);
    const bool read = !text.empty() && end == text.c_str() + text.size();
    if (percent && value > 1) return std::nullopt;
    return read && value > 0 && value < 1e12 ? std::optional(value) : std::nullopt;
}

Result<tolaria::AdaptOptions> options_of(const Arguments& a, const configs::EsperConfig& config) {
    tolaria::AdaptOptions options;
    const auto bad = [](const std::string& what) {
        return fail(tolaria::TolariaError::kUnsupported, what);
    };
    const auto parameters = parameters_of(a.parameters);
    if (!parameters)
        return bad("--parameters " + a.parameters +
                   ": expected a share such as 25%, at most 100%, or a number such as 50000");
    options.parameters = *parameters;
    if (!a.budget.empty()) {
        const auto budget = configs::Budget::parse(a.budget);
        if (!budget || !budget->is_set())
            return bad("--budget " + a.budget +
                       ": expected FLOPs such as 3e12 or a time such as 30m");
        options.budget = *budget;
    }
    if (!(a.epochs > 0)) return bad("--epochs has to be more than 0");
    if (!(a.rate >= 0)) return bad("--rate has to be more than 0");
    ESPER_CHECK_STATUS(tolaria::check_adapter_name(a.name));
    options.epochs = a.epochs;
    if (a.rate > 0) options.rate = a.rate;
    options.anchors = a.places;
    options.name = a.name;
    options.purpose = a.purpose;
    options.batch_size = static_cast<std::uint32_t>(config.data.batch_size);
    options.seed = a.seed >= 0 ? static_cast<std::uint64_t>(a.seed) : config.run.seed;
    options.workers = static_cast<std::size_t>(config.data.workers);
    return options;
}

Status measure_old(RunState& run, const tolaria::Dataset& data, std::uint32_t batch,
                   const graph::ProgramPtr& host, tolaria::Adaptation& done) {
    auto& learner = *run.learner;
    if (data.size(Part::kTest) == 0) return {};
    for (const auto& [name, program] :
         {std::pair{"old, host", host}, std::pair{"old", learner.program()}}) {
        ESPER_TRY(const auto seen,
                  tolaria::evaluate_part(learner.engine(), program, learner.store(), data,
                                         Part::kTest, batch));
        done.adapter.losses[name] = seen.loss;
    }
    return {};
}

/// Before minutes of training: an adapter may be replaced, nothing else.
Status check_adapter_output(const fs::path& file) {
    const auto refuse = [&](const std::string& why) {
        return fail(FileError::kUnwritable,
                    file.string() + ": " + why + "; name another file with -o");
    };
    std::error_code none;
    if (fs::exists(file, none) && !tolaria::read_adapter(file))
        return refuse("it is there, and is no adapter that could be replaced");
    const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (!fs::is_directory(folder, none)) return refuse("its folder is not there");
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        return refuse("its folder cannot be written to");
    return {};
}

Result<fs::path> host_of(const Arguments& a, std::optional<UnfinishedFolder>& made) {
    if (is_model_file(a.folder))
        return model_as_run(a.folder, a.data, a.overrides, a.run, a.output, made);
    if (!a.run.empty() || !a.overrides.empty())
        return fail(tolaria::TolariaError::kUnsupported,
                    a.folder +
                        " is no .pt2 file: a run's own data say how other data are read, so "
                        "--run and key=value are not for it");
    return fs::path(a.folder);
}

/// The exit code.
Result<int> adapt(const Arguments& a) {
    std::optional<UnfinishedFolder> made;  // of a model's file: goes where nothing comes of it
    ESPER_TRY(const auto folder, host_of(a, made));
    ESPER_TRY(const auto config, load_run_config(folder, {}));
    ESPER_TRY(auto options, options_of(a, config));
    const tolaria::AdapterFolder adapters(folder);
    ESPER_CHECK_STATUS(a.out.empty() ? adapters.check_free(a.name) : check_adapter_output(a.out));
    auto how = tolaria::Learner::options_of(config);
    how.optimization = tolaria::adapting_recipe();
    ESPER_TRY(auto run, load_run(folder, a.checkpoint, how));
    ESPER_TRY(const auto old, open_run_data(config, run.head.data_fingerprint, folder));
    ESPER_TRY(const auto data, open_for_host(config, *old, a.data));
    if (config.run.threads > 0) at::set_num_threads(static_cast<int>(config.run.threads));
    if (options.purpose.empty())
        options.purpose = "adapted to " + fs::path(a.data).filename().string();
    if (!a.output.json && !a.output.quiet) {
        std::fprintf(stderr, "adapting the %s of %s\n", name_of(run).c_str(), folder.c_str());
        for (const auto& note : data->info().notes) std::fprintf(stderr, "%s\n", note.c_str());
    }
    const auto host = run.program();
    take_stop_signals();
    options.stops = is_stop_asked;
    ESPER_TRY(auto done, tolaria::adapt(*run.learner, data, options, [&](const json& news) {
                  if (a.output.json)
                      print_json_line(news);
                  else if (!a.output.quiet)
                      show_adapting(news);
              }));
    if (done.adapter.classes == old->info().class_names) done.adapter.classes.clear();
    if (!is_model_file(a.folder))
        ESPER_CHECK_STATUS(measure_old(run, *old, options.batch_size, host, done));
    std::string file = a.out;
    if (done.kept()) {
        if (a.out.empty()) {
            ESPER_TRY(file, adapters.add(done.adapter));
        } else {
            ESPER_CHECK_STATUS(tolaria::write_adapter(a.out, done.adapter));
        }
    }
    if (!done.kept()) file.clear();
    if (a.output.json)
        print_json_line(adapted_json(done, file));
    else
        show_adapted(done, file);
    if (made) made->keep();
    return done.was_stopped ? kInterrupted : 0;
}

}  // namespace

void add_adapt(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand(
        "adapt", "adapt the network of a finished run to other data, without changing it");
    command
        ->add_option("host", a->folder,
                     "the run's folder, or a model that torch.export saved (.pt2), of which a run "
                     "is made")
        ->required();
    command
        ->add_option("data", a->data,
                     "data of the run's kind: a text, tokens, images or a table, as for train")
        ->required();
    command->add_option("overrides", a->overrides,
                        "of a .pt2: key=value, as for train (data.target=…)");
    command->add_option("--run", a->run, "of a .pt2: the run's folder (runs/<its name>-<n>)");
    command->add_option("--parameters", a->parameters,
                        "of the new part: a share of the network's (25%, the default) or a number");
    command->add_option("--budget", a->budget, "FLOPs (3e12), measuring included, or a time (30m)");
    command->add_option("--epochs", a->epochs, "how long, where no budget is given (2)");
    command->add_option("--rate", a->rate, "learning rate; without it a few are tried");
    command->add_option("--at", a->places, "anchors where the part may sit (all)");
    command->add_option("--name", a->name, "of the adapter (adapter)");
    command->add_option("--purpose", a->purpose, "a line for people, kept in the file");
    command->add_option("-o,--out", a->out, "the file (adapters/<name>.esper in the run's folder)");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->add_option("--seed", a->seed, "of first values and order of the data (the run's)");
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] {
        const auto done = adapt(*a);
        exit_code = done ? *done : report_error(done.error());
        if (!done && done.error().is(AdaptError::kStopped)) exit_code = kInterrupted;
    });
}

}  // namespace esper::cli
