#include "esper/cli/nissa_exports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/cli/not_empty.h"
#include "esper/cli/output_file.h"
#include "esper/cli/print.h"
#include "esper/services/nissa/decision_traces.h"
#include "esper/services/nissa/mlflow_store.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/urza/library.h"
#include "esper/utils/http_client.h"

namespace esper::cli {

namespace {

struct TraceArguments {
    std::string run, seed, block, library, output, to;
};

// The path that OTLP/HTTP gives traces, unless the address has one of its own.
std::string traces_url(const std::string& address) {
    const auto query = std::min(address.find_first_of("?#"), address.size());
    auto path = address.substr(0, query);
    const auto host = path.find("://");
    const auto slash = host == std::string::npos ? host : path.find('/', host + 3);
    if (slash == std::string::npos || slash + 1 == path.size())
        path += slash == std::string::npos ? "/v1/traces" : "v1/traces";
    return path + address.substr(query);
}

// A receiver may take a request and leave spans out (OTLP, "partial success").
Status check_all_taken(const std::string& body) {
    if (body.empty()) return {};
    const auto answer = nlohmann::json::parse(body, nullptr, false);
    if (!answer.is_object())
        return fail(utils::HttpError::kOtherStatus,
                    "the answer is not that of an OTLP/HTTP receiver (expected a JSON object): " +
                        body.substr(0, 200));
    const auto part = answer.find("partialSuccess");
    if (part == answer.end() || !part->is_object()) return {};
    const auto message = records::text_of(*part, "errorMessage");
    auto left_out = records::text_of(*part, "rejectedSpans");  // protobuf's 64-bit numbers
    if (left_out.empty()) left_out = std::to_string(records::integer_of(*part, "rejectedSpans"));
    if (left_out != "0")
        return fail(utils::HttpError::kOtherStatus,
                    fmt::format("the receiver left {} spans out{}", left_out,
                                message.empty() ? "" : ": " + message));
    if (!message.empty())
        std::fprintf(stderr, "the receiver says: %s\n", records::printable(message).c_str());
    return {};
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
    if (!answer) return fail(answer.error().within(request.url));
    const auto taken = check_all_taken(answer->body);
    return taken ? Status{} : fail(taken.error().within(request.url));
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
    int code = 0;
    std::size_t exported = 0;
    for (const auto& run : a.runs) {
        const auto done = nissa::write_mlflow(run, a.mlflow, a.experiment);
        if (!done) {
            const int failed = report_error(done.error().within(run));
            if (code == 0) code = failed;
            continue;
        }
        ++exported;
        std::printf("%s: run %s in %s\n", run.c_str(), done->id.c_str(),
                    done->folder.parent_path().c_str());
    }
    if (exported > 0)
        std::fprintf(stderr, "mlflow ui --backend-store-uri %s   shows them\n",
                     records::shell_word(a.mlflow).c_str());
    return code;
}

}  // namespace

void add_nissa_exports(CLI::App* nissa, int& exit_code) {
    auto t = std::make_shared<TraceArguments>();
    auto* traces = nissa->add_subcommand(
        "trace", "what was decided in a run about seeds and splits, as traces (OTLP/JSON)");
    traces->add_option("run", t->run, "the run's folder")->required();
    auto* seed =
        traces->add_option("--seed", t->seed, "this one's only, e.g. s1")->check(kNotEmpty);
    traces->add_option("--block", t->block, "this one's splits only, e.g. blocks.0")
        ->check(kNotEmpty)
        ->excludes(seed);
    traces->add_option("-o,--output", t->output, "a file (default: standard output)")
        ->check(kNotEmpty);
    traces
        ->add_option("--to", t->to,
                     "also send them to this OTLP/HTTP receiver, e.g. http://127.0.0.1:4318")
        ->check(kNotEmpty);
    traces->add_option("--library", t->library,
                       "of kernels (default: $ESPER_LIBRARY or ~/.local/share/esper/library)");
    traces->callback([t, &exit_code] { exit_code = trace(*t); });

    auto e = std::make_shared<ExportArguments>();
    auto* exports = nissa->add_subcommand("export", "runs in the file formats of other programs");
    exports->add_option("runs", e->runs, "folders of runs")->required();
    exports->add_option("--mlflow", e->mlflow, "into the files of this MLflow store (mlruns)")
        ->required()
        ->check(kNotEmpty);
    exports->add_option("--experiment", e->experiment, "MLflow's experiment (default: esper)")
        ->check(kNotEmpty);
    exports->callback([e, &exit_code] { exit_code = export_runs(*e); });
}

}  // namespace esper::cli
