#include "esper/cli/nissa_exports.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/cli/output_file.h"
#include "esper/cli/print.h"
#include "esper/services/nissa/decision_traces.h"
#include "esper/services/nissa/mlflow_store.h"
#include "esper/services/urza/library.h"
#include "esper/utils/http_client.h"

namespace esper::cli {

namespace {

struct TraceArguments {
    std::string run, seed, block, library, output, to;
};

// The path that OTLP/HTTP gives traces, unless the address has one of its own.
std::string traces_url(std::string address) {
    const auto host = address.find("://");
    const auto path = host == std::string::npos ? host : address.find('/', host + 3);
    if (path != std::string::npos && path + 1 < address.size()) return address;
    if (path == std::string::npos) address += '/';
    return address + "v1/traces";
}

Status send(const std::string& address, const std::string& text) {
    utils::HttpClient client;
    utils::HttpRequest request;
    request.method = "POST";
    request.url = traces_url(address);
    request.headers = {{"Content-Type", "application/json"}};
    request.body = text;
    request.repeatable = true;  // the same ids say the same
    const auto answer = utils::require_success(client.send(request));
    return answer ? Status{} : fail(answer.error().within(request.url));
}

int trace(const TraceArguments& a) {
    if (!a.output.empty())
        if (const auto may = check_output_file(a.output); !may) return report_error(may.error());
    const auto traces = nissa::decision_traces(
        a.run, {a.seed, a.block, a.library.empty() ? urza::default_library_path() : a.library});
    if (!traces) return report_error(traces.error());
    const auto text = traces->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (!a.to.empty()) {
        if (const auto sent = send(a.to, text); !sent) return report_error(sent.error());
        std::fprintf(stderr, "sent to %s\n", traces_url(a.to).c_str());
    }
    if (!a.output.empty()) {
        if (const auto written = write_file_atomic(a.output, text); !written)
            return report_error(written.error());
        std::fprintf(stderr, "wrote %s\n", a.output.c_str());
    } else if (a.to.empty()) {
        std::fputs(text.c_str(), stdout);
    }
    return 0;
}

struct ExportArguments {
    std::vector<std::string> runs;
    std::string mlflow, experiment = "esper";
};

int export_runs(const ExportArguments& a) {
    for (const auto& run : a.runs) {
        const auto done = nissa::write_mlflow(run, a.mlflow, a.experiment);
        if (!done) return report_error(done.error());
        std::printf("%s: run %s in %s\n", run.c_str(), done->id.c_str(),
                    done->folder.parent_path().c_str());
    }
    std::fprintf(stderr, "mlflow ui --backend-store-uri %s   shows them\n", a.mlflow.c_str());
    return 0;
}

}  // namespace

void add_nissa_exports(CLI::App* nissa, int& exit_code) {
    auto t = std::make_shared<TraceArguments>();
    auto* traces = nissa->add_subcommand(
        "trace", "what was decided in a run about seeds and splits, as traces (OTLP/JSON)");
    traces->add_option("run", t->run, "the run's folder")->required();
    auto* seed = traces->add_option("--seed", t->seed, "this one's only, e.g. s1");
    traces->add_option("--block", t->block, "this one's splits only, e.g. blocks.0")
        ->excludes(seed);
    traces->add_option("-o,--output", t->output, "a file (default: standard output)");
    traces->add_option("--to", t->to,
                       "also send them to this OTLP/HTTP receiver, e.g. http://127.0.0.1:4318");
    traces->add_option("--library", t->library,
                       "of kernels (default: $ESPER_LIBRARY or ~/.local/share/esper/library)");
    traces->callback([t, &exit_code] { exit_code = trace(*t); });

    auto e = std::make_shared<ExportArguments>();
    auto* exports = nissa->add_subcommand("export", "runs in the file formats of other programs");
    exports->add_option("runs", e->runs, "folders of runs")->required();
    exports->add_option("--mlflow", e->mlflow, "into the files of this MLflow store (mlruns)")
        ->required();
    exports->add_option("--experiment", e->experiment, "MLflow's experiment (default: esper)");
    exports->callback([e, &exit_code] { exit_code = export_runs(*e); });
}

}  // namespace esper::cli
