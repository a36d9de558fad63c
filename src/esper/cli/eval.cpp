#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/host_adapter.h"
#include "esper/cli/host_data.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_state.h"
#include "esper/cli/views.h"
#include "esper/services/tolaria/data/data_errors.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/metrics.h"

namespace esper::cli {

namespace {

struct Arguments {
    std::string folder;
    std::vector<std::string> overrides;
    std::string checkpoint;
    std::string adapter;
    std::string data;
    bool tta = false;
    bool json = false;
};

Status show(const Arguments& a, const RunState& run, const tolaria::DatasetInfo& info,
            const tolaria::Evaluation& found, const std::string& adapter, std::size_t views = 1) {
    const auto metrics = tolaria::metrics_of(info, found);
    if (!a.json) {
        std::printf("%s%s%s: test loss %.4f, test %s on %u examples\n", name_of(run).c_str(),
                    adapter.empty() ? "" : (" with " + adapter).c_str(),
                    views > 1 ? fmt::format(", mean over {} views", views).c_str() : "", found.loss,
                    tolaria::in_words(metrics).c_str(), found.examples);
        return {};
    }
    nlohmann::json line{
        {"checkpoint", run.checkpoint},
        {"step", run.step},
        {"test_loss", found.loss},
        {"test_accuracy", found.accuracy ? nlohmann::json(*found.accuracy) : nlohmann::json()},
        {"test_metrics", tolaria::to_json(metrics)},
        {"examples", found.examples}};
    if (auto confusion = tolaria::confusion_of(info, found); !confusion.is_null())
        line["test_confusion"] = std::move(confusion);
    if (!adapter.empty()) line["adapter"] = adapter;
    if (views > 1) line["views"] = views;
    print_json_line(line);
    return {};
}

Status evaluate(const Arguments& a) {
    const std::filesystem::path folder(a.folder);
    ESPER_TRY(const auto config, load_config_to_look(folder, a.overrides));
    ESPER_TRY(auto run, load_run(folder, a.checkpoint));
    ESPER_TRY(auto data, open_run_data(config, run.head.data_fingerprint, folder));
    const auto own = data;
    if (!a.data.empty()) {
        ESPER_TRY(data, open_for_host(config, *own, a.data));
        if (!a.json)
            for (const auto& note : data->info().notes) std::fprintf(stderr, "%s\n", note.c_str());
    }
    if (data->size(tolaria::Part::kTest) == 0)
        return fail(tolaria::DataError::kMissing,
                    folder.string() +
                        " was trained on data without a test part (data.split.test=0), so there "
                        "is nothing to measure it on");
    auto& engine = run.learner->engine();
    engine.set_precision(tolaria::Learner::options_of(config).precision);
    const auto test = [&](const graph::ProgramPtr& program, const std::string& adapter) -> Status {
        ESPER_TRY(const auto found,
                  tolaria::evaluate_part(engine, program, run.store(), *data, tolaria::Part::kTest,
                                         static_cast<std::uint32_t>(config.data.batch_size), 0,
                                         tolaria::Figures::kWithClasses));
        ESPER_CHECK_STATUS(show(a, run, data->info(), found, adapter));
        if (!a.tta) return {};
        ESPER_TRY(const auto views, views_for(data->info(), config));
        ESPER_TRY(const auto averaged,
                  tolaria::evaluate_over_views(
                      engine, program, run.store(), *data, tolaria::Part::kTest,
                      static_cast<std::uint32_t>(config.data.batch_size), views));
        return show(a, run, data->info(), averaged, adapter, views.count());
    };
    ESPER_CHECK_STATUS(test(run.program(), ""));
    if (a.adapter.empty()) return {};
    ESPER_TRY(const auto adapter, put_adapter_on(run, folder, a.adapter));
    if (!a.data.empty() && !adapter.classes.empty()) {
        ESPER_TRY(data, open_for_host(config, *own, a.data, adapter.classes));
    }
    return test(run.program(), adapter.name);
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand("eval", "measure a run's network on the test part");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("overrides", a->overrides, "data.path=… where the data has moved");
    command->add_option("--checkpoint", a->checkpoint, kCheckpointHelp);
    command->add_option("--adapter", a->adapter,
                        "also with an adapter of the run, or an adapter's file");
    command->add_option("--on", a->data, "other data of the same kind, in place of the run's");
    command->add_flag("--tta", a->tta, kTtaHelp);
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, &exit_code] {
        auto done = evaluate(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
