#include "esper/services/nissa/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "esper/base/text.h"
#include "esper/services/nissa/run_figures.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_control.h"
#include "esper/services/serving/metrics_text.h"

namespace esper::nissa {

using nlohmann::json;
using serving::Request;
using serving::Response;

namespace {

constexpr std::size_t kMostPoints = 4000;
constexpr std::size_t kMostMetrics = 64;

Response json_text(std::string text) {
    return serving::content("application/json", std::move(text));
}

Response answer_of(Result<json> result) {
    return result ? serving::json_content(*result) : serving::problem(result.error());
}

template <typename Number>
Result<std::optional<Number>> number_asked(const Request& request, std::string_view name) {
    const auto text = request.asked(name);
    if (!text || text->empty()) return std::optional<Number>{};
    Number value{};
    const auto* const end = text->data() + text->size();
    const auto [at, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc{} || at != end || !std::isfinite(static_cast<double>(value)))
        return fail(NissaError::kBadQuery,
                    fmt::format("expected a number for '{}', got '{}'", name, *text));
    return std::optional<Number>{value};
}

Result<CurveQuery> curve_query(const Request& request) {
    CurveQuery query;
    const auto metrics = request.asked("metrics").value_or("");
    if (!metrics.empty()) query.metrics = split(metrics, ',');
    if (query.metrics.empty() || query.metrics.size() > kMostMetrics)
        return fail(NissaError::kBadQuery,
                    fmt::format("expected 'metrics' with 1 to {} names between commas, e.g. "
                                "metrics=train_loss,val_loss",
                                kMostMetrics));
    query.x = request.asked("x").value_or("step");
    ESPER_TRY(const auto points, number_asked<std::uint32_t>(request, "points"));
    if (points && (*points < 2 || *points > kMostPoints))
        return fail(NissaError::kBadQuery, fmt::format("'points' may be 2 to {}", kMostPoints));
    if (points) query.points = *points;
    ESPER_TRY(query.from, number_asked<double>(request, "from"));
    ESPER_TRY(query.to, number_asked<double>(request, "to"));
    return query;
}

// 1 where the configuration does not say.
std::int64_t batch_size_of(const json& settings) {
    const auto text = records::text_of(settings, "data.batch_size");
    std::int64_t size = 0;
    std::from_chars(text.data(), text.data() + text.size(), size);
    return std::max<std::int64_t>(1, size);
}

Response list_of(const RunIndex& index) {
    std::string text = R"({"runs":[)";
    bool is_first = true;
    for (const auto& run : index.runs()) {
        const auto row = run->row();
        if (row.empty()) continue;
        if (!is_first) text += ',';
        is_first = false;
        text += row;
    }
    return json_text(text + "]}");
}

Response settings_of(const RunIndex& index, const Request& request) {
    json all = json::object();
    for (const auto& [name, id] : request.query) {
        const auto run = index.find(id);
        if (!run) return serving::problem(404, run.error());
        all[id] = (*run)->settings();
    }
    if (request.query.empty())
        for (const auto& run : index.runs()) all[run->id()] = run->settings();
    return serving::json_content(all);
}

// The newest of the runs that are not over: a series each for every run ever made would fill up
// Prometheus.
constexpr std::size_t kMostRunsInMetrics = 20;

std::vector<std::pair<std::string, RunFigures>> runs_for_prometheus(const RunIndex& index) {
    std::vector<std::pair<std::string, RunFigures>> runs;
    for (const auto& run : index.runs()) {
        const auto state = run->condition().first;
        if (state != RunState::kDone && state != RunState::kStopped)
            runs.emplace_back(records::printable(run->id()), run->figures());
    }
    return runs;
}

void add_run_figures(serving::MetricsText& metrics, const RunIndex& index) {
    auto runs = runs_for_prometheus(index);
    metrics.gauge("esper_nissa_runs_left_out", "Runs that are not over and beyond the most shown.")
        .value({}, runs.size() > kMostRunsInMetrics
                       ? static_cast<double>(runs.size() - kMostRunsInMetrics)
                       : 0);
    if (runs.size() > kMostRunsInMetrics) runs.resize(kMostRunsInMetrics);
    const auto figures = run_figures();
    for (std::size_t i = 0; i < figures.size(); ++i) {
        metrics.gauge(figures[i].name, figures[i].help);
        for (const auto& [id, values] : runs)
            if (i < values.size() && values[i]) metrics.value({{"run", id}}, *values[i]);
    }
}

// Each state and each kind of alert is there, also with 0: Prometheus knows only what it has seen.
Response metrics_of(const RunIndex& index, const serving::EventChannel& events) {
    std::map<std::string, double> states, alerts;
    for (const auto state : kAllStates) states[std::string(to_text(state))] = 0;
    for (const auto& rule : alert_rules()) alerts[std::string(rule.kind)] = 0;
    for (const auto& run : index.runs()) {
        const auto [state, kinds] = run->condition();
        states[std::string(to_text(state))] += 1;
        for (const auto& kind : kinds) alerts[kind] += 1;
    }
    serving::MetricsText metrics;
    metrics.gauge("esper_nissa_runs", "Runs by what they are doing.");
    for (const auto& [state, n] : states) metrics.value({{"state", state}}, n);
    metrics.gauge("esper_nissa_alerts", "Alerts of runs by kind.");
    for (const auto& [kind, n] : alerts) metrics.value({{"kind", kind}}, n);
    metrics.gauge("esper_nissa_streams", "Clients that hear what changes.")
        .value({}, static_cast<double>(events.readers()));
    add_run_figures(metrics, index);
    return metrics.process().response();
}

Response ask_run(const Run& run, const Request& request) {
    const auto asked = records::parse_object(request.body);
    if (!asked) return serving::problem(400, asked.error());
    const auto word = records::text_of(*asked, "action");
    const auto action = contracts::from_text<records::ControlAction>(word);
    if (!action) {
        std::vector<std::string> known;
        for (const auto& entry : contracts::enum_entries<records::ControlAction>())
            known.emplace_back(entry.text);
        return serving::problem(400, "expected an 'action' of " + join(known, ", "));
    }
    if (run.condition().first != RunState::kRunning)
        return serving::problem(409, "this run is not running, so nobody would hear it");
    const auto left = records::leave_request(run.folder(), {*action, "the page"});
    return left ? serving::json_content({{"asked", word}}, 202) : serving::problem(left.error());
}

using OfRun = std::function<Response(Run&, const Request&)>;

}  // namespace

void add_routes(serving::Router& router, const std::shared_ptr<RunIndex>& index,
                const std::shared_ptr<serving::EventChannel>& events,
                const std::shared_ptr<const LinkTokens>& tokens,
                const std::shared_ptr<const KernelShelf>& shelf) {
    const auto look = [&](const char* pattern, serving::Handler handler) {
        router.add("GET", pattern, [tokens, handler = std::move(handler)](const Request& request) {
            auto refused = tokens->refuse(request, Right::kLook);
            return refused ? std::move(*refused) : handler(request);
        });
    };
    const auto add = [&](const char* pattern, OfRun handler) {
        look(pattern, [index, handler = std::move(handler)](const Request& request) {
            const auto run = index->find(request.parameter("run"));
            if (!run) return serving::problem(404, run.error());
            auto response = handler(**run, request);
            index->trim(kMostMemory);
            return response;
        });
    };
    look("/metrics", [index, events](const Request&) { return metrics_of(*index, *events); });
    look("/api/v1/runs", [index](const Request&) { return list_of(*index); });
    look("/api/v1/settings",
         [index](const Request& request) { return settings_of(*index, request); });
    look("/api/v1/events", [events, tokens](const Request& request) {
        return serving::event_stream(events, [tokens, request] {
            return tokens->refuse(request, Right::kLook).has_value();
        });
    });
    look("/api/v1/access", [tokens](const Request& request) {
        return serving::json_content({{"actions", !tokens->refuse(request, Right::kAct)}});
    });
    constexpr std::size_t kMostAction = 1024;
    router.add(
        "POST", "/api/v1/runs/{run}/actions",
        [tokens, index](const Request& request) {
            if (auto refused = tokens->refuse(request, Right::kAct)) return std::move(*refused);
            const auto run = index->find(request.parameter("run"));
            return run ? ask_run(**run, request) : serving::problem(404, run.error());
        },
        kMostAction);
    add("/api/v1/runs/{run}",
        [](Run& run, const Request&) { return serving::json_content(run.detail()); });
    add("/api/v1/runs/{run}/growth",
        [](Run& run, const Request&) { return serving::json_content(run.growth()); });
    if (shelf) {
        look("/api/v1/library",
             [shelf](const Request&) { return serving::json_content(shelf->all()); });
        add("/api/v1/runs/{run}/kernels", [shelf](Run& run, const Request&) {
            return serving::json_content(
                shelf->of_run(run.detail().at("run"), batch_size_of(run.settings())));
        });
    }
    add("/api/v1/runs/{run}/series", [](Run& run, const Request& request) {
        const auto query = curve_query(request);
        if (!query) return serving::problem(query.error());
        auto curves = run.curves(*query);
        return curves ? json_text(std::move(*curves)) : serving::problem(curves.error());
    });
    add("/api/v1/runs/{run}/events", [](Run& run, const Request& request) {
        const auto after = number_asked<std::uint32_t>(request, "after");
        if (!after) return serving::problem(after.error());
        return answer_of(run.events(after->value_or(0)));
    });
}

}  // namespace esper::nissa
