#include "esper/services/urza/api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/contracts/codec.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/program/text/text_format.h"
#include "esper/services/serving/health.h"
#include "esper/services/serving/metrics_text.h"
#include "esper/services/urza/api_answers.h"
#include "esper/services/urza/api_events.h"
#include "esper/services/urza/api_sharing.h"
#include "esper/services/urza/api_work.h"
#include "esper/services/urza/callers.h"
#include "esper/services/urza/http_answers.h"
#include "esper/utils/logging.h"

namespace esper::urza {
namespace {

using contracts::AccessRole;
using contracts::record_info;
using nlohmann::json;
using serving::problem;
using serving::Request;
using serving::Response;

constexpr std::size_t kMostBody = std::size_t{17} << 20;  // a submission's longest text, and more

/// The artifact with its newest report. A kernel that nobody validated is never called so, whatever
/// its row says.
Result<contracts::CompiledKernelArtifact> artifact_of(Library& library,
                                                      const KernelRecord& record) {
    auto artifact = record.artifact;
    if (artifact.status != contracts::KernelStatus::kValidated) return artifact;
    execution::KernelWant any;
    any.cpu_features = record.manifest.cpu_features;
    const execution::KernelBundle statements{record.manifest_text, record.forged,
                                             record.verdict_text, record.judged, ""};
    ESPER_CHECK_STATUS(execution::verify_statements(statements, library.ring(), any));
    return artifact;
}

Response list_blueprints(Library& library, const Request& request) {
    const auto page = page_of(request);
    if (!page) return refuse(page.error());
    return page_response(
        library.blueprints(*page), *page,
        [](const auto& b) { return json::parse(contracts::to_json(b).value_or("null")); },
        [](const auto& b) { return b.blueprint_id; });
}

Response add_blueprint(Library& library, const Request& request, const Caller& caller) {
    auto submission = contracts::from_json<contracts::BlueprintSubmission>(request.body);
    if (!submission) return refuse(submission.error());
    submission->submitted_by = caller.name;  // who asks, not who they say they are
    if (const auto program = graph::from_text(submission->architecture)) {
        const std::string present = (*program)->hash().hex();
        if (library.blueprint(present))
            return problem(409, fmt::format("this Program is blueprint {} already", present),
                           "urza.Conflict");
    }
    const auto id = library.add_blueprint(*submission);
    if (!id) return refuse(id.error());
    const auto blueprint = library.blueprint(*id);
    auto response = contract_response(blueprint, 201);
    response.headers.emplace_back("Location", "/api/v1/blueprints/" + *id);
    return response;
}

Response list_kernels(Library& library, const Request& request) {
    const auto page = page_of(request);
    if (!page) return refuse(page.error());
    return page_response(
        library.kernels(*page), *page,
        [&](const KernelRecord& record) {
            const auto artifact = artifact_of(library, record);
            if (!artifact)
                return json{{"kernel_artifact_id", record.manifest.artifact},
                            {"refused", artifact.error().to_string()}};
            return json::parse(contracts::to_json(*artifact).value_or("null"));
        },
        [](const KernelRecord& record) { return record.manifest.artifact; });
}

Response show_kernel(Library& library, const Request& request) {
    const auto record = library.kernel(request.parameter("id"));
    if (!record) return refuse(record.error());
    return contract_response(artifact_of(library, *record));
}

Response fetch_kernel(Library& library, const Request& request) {
    auto bytes = library.fetch(request.parameter("id"));
    if (!bytes) return refuse(bytes.error());
    return serving::content("application/octet-stream", std::move(*bytes));
}

Response query_kernels(Library& library, const Request& request) {
    const auto query = contracts::from_json<contracts::KernelQuery>(request.body);
    if (!query) return refuse(query.error());
    return contract_response(library.query(*query));
}

Response deprecate_kernel(Library& library, const Request& request, const Caller& caller) {
    const std::string id(request.parameter("id"));
    const auto reason = request.asked("reason");
    const Status done = library.deprecate(
        id, caller.role, fmt::format("{} ({})", reason.value_or("no reason given"), caller.name));
    if (!done) return refuse(done.error());
    return show_kernel(library, request);
}

Response list_ledger(Library& library, const Request& request) {
    const auto after = number_of(request, "after", 0, kLastLedgerEntry);
    const auto limit = number_of(request, "limit", PageOf{}.limit, kMostItems);
    if (!after || !limit) return refuse((after ? limit : after).error());
    const PageOf page{"", static_cast<std::uint32_t>(std::max<std::uint64_t>(*limit, 1))};
    return page_response(
        library.ledger(*after, page.limit), page,
        [](const LedgerEntry& e) {
            return json{{"number", e.number}, {"at", e.at},           {"actor", e.actor},
                        {"action", e.action}, {"subject", e.subject}, {"digest", e.digest},
                        {"hash", e.hash}};
        },
        [](const LedgerEntry& e) { return std::to_string(e.number); });
}

Response show_head(Library& library) {
    const auto head = library.head();
    if (!head) return refuse(head.error());
    return serving::json_content({{"number", head->number}, {"hash", head->hash}});
}

}  // namespace

std::vector<Operation> operations(Library& l) {
    auto all = sharing_operations(l);
    std::ranges::move(work_operations(l), std::back_inserter(all));
    std::ranges::move(event_operations(l), std::back_inserter(all));
    const auto* blueprint = &record_info<contracts::Blueprint>();
    const auto* kernel = &record_info<contracts::CompiledKernelArtifact>();
    std::vector<Operation> found{
        {"GET", "/api/v1/blueprints", "Blueprints in the order of their ids",
         AccessRole::kResearcher, nullptr, blueprint, true,
         [&l](const Request& r, const Caller&) { return list_blueprints(l, r); }},
        {"POST", "/api/v1/blueprints", "Adds a blueprint; 409 where it is there already",
         AccessRole::kCurator, &record_info<contracts::BlueprintSubmission>(), blueprint, false,
         [&l](const Request& r, const Caller& c) { return add_blueprint(l, r, c); }},
        {"GET", "/api/v1/blueprints/{id}", "One blueprint with the ids of its kernels",
         AccessRole::kResearcher, nullptr, blueprint, false,
         [&l](const Request& r, const Caller&) {
             return contract_response(l.blueprint(r.parameter("id")));
         }},
        {"GET", "/api/v1/kernels", "Kernels in the order of their ids", AccessRole::kResearcher,
         nullptr, kernel, true,
         [&l](const Request& r, const Caller&) { return list_kernels(l, r); }},
        {"POST", "/api/v1/kernels/query", "Validated kernels by tags and limits, best first",
         AccessRole::kResearcher, &record_info<contracts::KernelQuery>(),
         &record_info<contracts::KernelQueryResult>(), false,
         [&l](const Request& r, const Caller&) { return query_kernels(l, r); }},
        {"GET", "/api/v1/kernels/{id}", "One kernel with its newest report",
         AccessRole::kResearcher, nullptr, kernel, false,
         [&l](const Request& r, const Caller&) { return show_kernel(l, r); }},
        {"GET", "/api/v1/kernels/{id}/bundle", "The signed statements and the object",
         AccessRole::kResearcher, nullptr, nullptr, false,
         [&l](const Request& r, const Caller&) { return fetch_kernel(l, r); }},
        {"POST", "/api/v1/kernels/{id}/deprecate", "Takes a kernel out of use",
         AccessRole::kCurator, nullptr, kernel, false,
         [&l](const Request& r, const Caller& c) { return deprecate_kernel(l, r, c); }},
        {"GET", "/api/v1/ledger", "Every change, in order", AccessRole::kResearcher, nullptr,
         nullptr, true, [&l](const Request& r, const Caller&) { return list_ledger(l, r); }},
        {"GET", "/api/v1/ledger/head", "The signed head of the ledger", AccessRole::kResearcher,
         nullptr, nullptr, false, [&l](const Request&, const Caller&) { return show_head(l); }},
    };
    std::ranges::move(all, std::back_inserter(found));
    return found;
}

namespace {

Response metrics_of(Library& library, const Callers& callers) {
    serving::MetricsText metrics;
    const auto head = library.head();
    metrics.gauge("esper_urza_readable", "1 where the library can be read.")
        .value({}, head ? 1 : 0);
    metrics.gauge("esper_urza_writable", "1 where this process may change the library.")
        .value({}, library.may_change() ? 1 : 0);
    if (head)
        metrics.counter("esper_urza_ledger_entries_total", "Changes of the library so far.")
            .value({}, static_cast<double>(head->number));
    metrics
        .counter("esper_urza_refused_total", "Requests of unknown callers, and of a lesser role.")
        .value({{"status", "401"}}, static_cast<double>(callers.unknown()))
        .value({{"status", "403"}}, static_cast<double>(callers.forbidden()));
    return metrics.process().response();
}

/// What is asked for in vain is a mistake: the answer would be another than the one expected.
std::optional<Response> refuse_unknown(const Request& request,
                                       const std::vector<std::string>& known) {
    for (const auto& [name, value] : request.query) {
        if (std::ranges::find(known, name) != known.end()) continue;
        return problem(400,
                       fmt::format("{} takes no parameter '{}'; it takes {}", request.path, name,
                                   known.empty() ? "none" : join(known, ", ")),
                       "urza.BadRequest");
    }
    return std::nullopt;
}

Response answer(const Operation& operation, const Request& request, const Caller& caller) {
    if (operation.takes != nullptr &&
        !request.header("content-type").starts_with("application/json"))
        return problem(415, "expected Content-Type: application/json");
    auto response = tagged(request, operation.act(request, caller));
    if (operation.least > AccessRole::kResearcher)  // what changes something
        ESPER_LOG_INFO("asked", utils::kv("who", caller.name),
                       utils::kv("role", contracts::to_text(caller.role)),
                       utils::kv("method", request.method), utils::kv("path", request.path),
                       utils::kv("status", response.status));
    return response;
}

}  // namespace

void add_api(serving::Router& router, Library& library, Tokens& tokens, WebTokens* issued) {
    const auto callers = std::make_shared<Callers>(tokens, issued);
    auto all = operations(library);
    const std::string description = openapi(all).dump(2);
    router.add("GET", "/openapi.json", [description](const Request& request) {
        return tagged(request, serving::content("application/json", description));
    });
    const auto& sandbox = execution::sandbox();
    serving::add_health(router, "urza",
                        [&library]() -> std::vector<std::string> {
                            const auto head = library.head();
                            if (head) return {};
                            return {head.error().message()};
                        },
                        // Of a forge on this machine.
                        {{"sandbox",
                          {{"level", static_cast<int>(sandbox.level)},
                           {"why_not_higher", sandbox.why_not_higher}}}});
    router.add("GET", "/metrics",
               [&library, callers](const Request&) { return metrics_of(library, *callers); });
    for (auto& operation : all) {
        const std::size_t body = operation.method == "POST" ? kMostBody : 0;
        router.add(
            operation.method, operation.pattern,
            [operation, callers, known = query_names(operation)](const Request& request) {
                const auto caller = callers->allow(request, operation.least);
                if (!caller) return caller.error();
                if (auto refused = refuse_unknown(request, known)) return std::move(*refused);
                auto response = answer(operation, request, *caller);
                if (response.events)  // a stream ends when its token does
                    response.is_over = [request, least = operation.least, callers] {
                        return !callers->allow(request, least);
                    };
                return response;
            },
            body,
            [least = operation.least, callers](const Request& head) -> std::optional<Response> {
                auto caller = callers->allow(head, least);
                if (caller) return std::nullopt;
                return std::move(caller.error());
            });
    }
}

}  // namespace esper::urza
