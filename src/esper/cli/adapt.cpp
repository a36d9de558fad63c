#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/drive.h"
#include "esper/cli/host_data.h"
#include "esper/cli/model_as_run.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_state.h"
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

void show(const json& news) {
    const auto& kind = news.at("event");
    if (kind == "place") {
        std::string others;
        for (const auto& gain : news.at("gains"))
            others += fmt::format("{}{}{} {:.4f}", others.empty() ? "" : ", ",
                                  gain.at("anchor").get<std::string>(),
                                  gain.at("blueprint") == news.at("blueprint")
                                      ? ""
                                      : " (" + gain.at("blueprint").get<std::string>() + ")",
                                  gain.at("gain").get<double>());
        std::fprintf(
            stderr,
            "%s of %lld units at %s: %s parameters, %.1f %% of the network's %s "
            "(predicted gains: %s)\n",
            news.at("blueprint").get<std::string>().c_str(),
            static_cast<long long>(news.at("width").get<std::int64_t>()),
            news.at("anchor").get<std::string>().c_str(),
            human_count(news.at("parameters").get<double>()).c_str(),
            100 * news.at("parameters").get<double>() / news.at("host_parameters").get<double>(),
            human_count(news.at("host_parameters").get<double>()).c_str(), others.c_str());
    } else if (kind == "rate") {
        std::string tried;
        for (const auto& one : news.at("tried"))
            tried += fmt::format("{}{:g} {:.4f}", tried.empty() ? "" : ", ",
                                 one.at("rate").get<double>(), one.at("loss").get<double>());
        std::fprintf(stderr, "rate %g (loss after %lld steps: %s)\n", news.at("rate").get<double>(),
                     static_cast<long long>(news.at("steps").get<std::int64_t>()), tried.c_str());
    } else if (kind == "lower") {
        std::fprintf(stderr, "step %lld: back to the best, and on at rate %g\n",
                     static_cast<long long>(news.at("step").get<std::int64_t>()),
                     news.at("rate").get<double>());
    } else {
        std::fprintf(stderr, "step %lld: validation loss %.4f\n",
                     static_cast<long long>(news.at("step").get<std::int64_t>()),
                     news.at("loss").get<double>());
    }
}

json as_json(const tolaria::Adaptation& done, const std::string& file) {
    const auto& adapter = done.adapter;
    return {{"event", "end"},
            {"kept", done.kept()},
            {"file", file.empty() ? json() : json(file)},
            {"host", adapter.host.host},
            {"anchor", adapter.part.anchor},
            {"width", adapter.part.width},
            {"parameters", adapter.part.parameters()},
            {"host_parameters", done.host_parameters},
            {"rate", done.rate},
            {"steps", done.steps},
            {"stopped_early", done.stopped_early},
            {"gate", tamiyo::to_json(done.gate)},
            {"losses", adapter.losses},
            {"flops", {{"training", done.training_flops}, {"measuring", done.measuring_flops}}},
            {"seconds", done.seconds}};
}

std::string why_not(const tamiyo::GateResult& gate) {
    if (gate.not_finite > 0)
        return fmt::format("the loss of {} examples is not finite with it", gate.not_finite);
    if (gate.needed > gate.t)
        return fmt::format(
            "it saves {:.4f} of loss an example, but so unevenly that {} examples have to say so, "
            "and the probe part has {}; give more data",
            gate.mean, gate.needed, gate.t);
    return fmt::format(
        "{:.4f} of loss saved an example [{:.4f}, {:.4f}] on {} examples is no proof that it saves "
        "{:g}",
        gate.mean, gate.lower, gate.upper, gate.t, gate.rent);
}

void show_end(const tolaria::Adaptation& done, const std::string& file) {
    const auto& losses = done.adapter.losses;
    const auto& gate = done.gate;
    std::printf("new data: test loss %.4f, the network alone %.4f\n", losses.at("new"),
                losses.at("new, host"));
    if (losses.contains("old"))
        std::printf("the run's data: test loss %.4f off (the network, unchanged), %.4f on\n",
                    losses.at("old, host"), losses.at("old"));
    std::printf("%s trained parameters; fine-tuning the whole network would train %s\n",
                human_count(static_cast<double>(done.adapter.part.parameters())).c_str(),
                human_count(static_cast<double>(done.host_parameters)).c_str());
    const double all = done.training_flops + done.measuring_flops;
    std::printf("%lld steps at rate %g%s, %s, %s FLOPs, %.1f %% of them measuring\n",
                static_cast<long long>(done.steps), done.rate,
                done.stopped_early ? ", stopped early" : "", human_seconds(done.seconds).c_str(),
                human_count(all).c_str(), 100 * done.measuring_flops / all);
    if (done.kept())
        std::printf("kept: it saves %.4f [%.4f, %.4f] or more of loss an example; %s\n", gate.mean,
                    gate.lower, gate.upper, file.c_str());
    else
        std::printf("not kept, nothing was written: %s\n", why_not(gate).c_str());
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

Result<fs::path> host_of(const Arguments& a) {
    if (is_model_file(a.folder))
        return model_as_run(a.folder, a.data, a.overrides, a.run, a.output);
    if (!a.run.empty() || !a.overrides.empty())
        return fail(tolaria::TolariaError::kUnsupported,
                    a.folder +
                        " is no .pt2 file: a run's own data say how other data are read, so "
                        "--run and key=value are not for it");
    return fs::path(a.folder);
}

Status adapt(const Arguments& a) {
    ESPER_TRY(const auto folder, host_of(a));
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
    ESPER_TRY(auto done, tolaria::adapt(*run.learner, data, options, [&](const json& news) {
                  if (a.output.json)
                      print_json_line(news);
                  else if (!a.output.quiet)
                      show(news);
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
        print_json_line(as_json(done, file));
    else
        show_end(done, file);
    return {};
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
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
