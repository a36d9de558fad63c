#include "esper/services/urza/api_sharing.h"

#include <fmt/format.h>

#include <mutex>

#include "esper/services/urza/api_answers.h"
#include "esper/services/urza/wire.h"

namespace esper::urza {
namespace {

using contracts::AccessRole;
using contracts::record_info;
using nlohmann::json;
using serving::problem;
using serving::Request;
using serving::Response;

json json_of(const KernelRecord& record) {
    const auto sent = statements_of(record);
    if (!sent)
        return {{"kernel_artifact_id", record.manifest.artifact},
                {"refused", sent.error().to_string()}};
    return json::parse(contracts::to_json(*sent).value_or("null"));
}

Response list_statements(Library& library, const Request& request) {
    const auto page = page_of(request);
    if (!page) return refuse(page.error());
    return page_response(library.kernels(*page), *page, json_of,
                         [](const KernelRecord& record) { return record.manifest.artifact; });
}

Response show_statements(Library& library, const Request& request) {
    const auto record = library.kernel(request.parameter("id"));
    if (!record) return refuse(record.error());
    return contract_response(statements_of(*record));
}

Response offer_kernels(Library& library, const Request& request) {
    const auto wanted = contracts::from_json<KernelWanted>(request.body);
    if (!wanted) return refuse(wanted.error());
    const auto records = library.offers(ask_of(*wanted));
    if (!records) return refuse(records.error());
    KernelList list;
    for (const auto& record : *records)
        if (auto sent = statements_of(record)) list.items.push_back(std::move(*sent));
    return contract_response(Result<KernelList>(std::move(list)));
}

Response add_kernel(Library& library, const Request& request) {
    const auto sent = contracts::from_json<KernelHandIn>(request.body);
    if (!sent) return refuse(sent.error());
    auto kernel = kernel_of(*sent);
    if (!kernel) return problem(422, kernel.error());
    auto id = library.add_kernel(std::move(*kernel));
    if (!id) return refuse(id.error());
    AddedKernel added;
    added.kernel_artifact_id = std::move(*id);
    return contract_response(Result<AddedKernel>(added));
}

/// A verdict that is the newest already is not added again: its answer may have been lost.
Response add_verdict(Library& library, std::mutex& one, const Request& request) {
    const std::string id(request.parameter("id"));
    const auto sent = contracts::from_json<VerdictHandIn>(request.body);
    if (!sent) return refuse(sent.error());
    const auto seal = seal_of(sent->gauntlet_key, sent->gauntlet_signature);
    if (!seal) return refuse(seal.error());
    const std::lock_guard lock(one);
    const auto record = library.kernel(id);
    if (!record) return refuse(record.error());
    if (record->verdict_text != sent->verdict || record->judged != *seal)
        if (const Status added = library.add_verdict(id, sent->verdict, *seal, sent->report);
            !added)
            return refuse(added.error());
    return show_statements(library, request);
}

/// Whoever may add what the forge makes may also say how far the forge is.
Result<contracts::Actor> actor_of(const Request& request, const Caller& caller) {
    using contracts::ComponentType;
    const auto as = request.asked("as");
    if (!as) return contracts::Actor(caller.role);
    for (const auto component : {ComponentType::kTezzeret, ComponentType::kUrza})
        if (*as == contracts::to_text(component)) return contracts::Actor(component);
    return fail(
        contracts::ContractError::kWrongRole,
        fmt::format("as={}: expected {} or {}", *as, contracts::to_text(ComponentType::kTezzeret),
                    contracts::to_text(ComponentType::kUrza)));
}

Response set_status(Library& library, const Request& request, const Caller& caller) {
    const auto to =
        contracts::from_text<contracts::BlueprintStatus>(request.asked("to").value_or(""));
    if (!to) return problem(400, "to=…: expected a blueprint's status", "urza.BadRequest");
    const auto actor = actor_of(request, caller);
    if (!actor) return refuse(actor.error());
    const std::string id(request.parameter("id"));
    if (const Status set = library.set_blueprint_status(id, *to, *actor); !set)
        return refuse(set.error());
    return contract_response(library.blueprint(id));
}

Response file_run(Library& library, const Request& request) {
    const auto sent = contracts::from_json<RunHandIn>(request.body);
    if (!sent) return refuse(sent.error());
    const auto is_new = library.file_run(run_of(*sent));
    if (!is_new) return refuse(is_new.error());
    FiledRun filed;
    filed.is_new = *is_new;
    return contract_response(Result<FiledRun>(filed));
}

/// `after` is how many were read before.
Response list_reports(Library& library, const Request& request) {
    const auto after = number_of(request, "after", 0, kLastLedgerEntry);
    const auto page = page_of(request);
    if (!after || !page) return refuse((after ? page.error() : after.error()));
    auto all = library.reports(request.asked("blueprint").value_or(""));
    if (!all) return refuse(all.error());
    all->erase(all->begin(), all->begin() + static_cast<std::ptrdiff_t>(
                                                std::min<std::uint64_t>(*after, all->size())));
    const bool more = all->size() > page->limit;
    if (more) all->resize(page->limit);
    json items = json::array();
    for (const auto& filed : *all)
        items.push_back(json::parse(contracts::to_json(sent_of(filed)).value_or("null")));
    return serving::json_content(
        {{"items", items}, {"next", more ? json(std::to_string(*after + all->size())) : json()}});
}

Response list_candidates(Library& library) {
    const auto all = library.measured_candidates();
    if (!all) return refuse(all.error());
    CandidateList list;
    for (const auto& candidates : *all) list.items.push_back(sent_of(candidates));
    return contract_response(Result<CandidateList>(std::move(list)));
}

Response show_seal(Library& library) {
    const auto head = library.head();
    if (!head) return refuse(head.error());
    SealedHead sealed;
    sealed.statement = head->statement;
    if (!head->statement.empty()) {
        sealed.library_key = head->seal.key;
        sealed.library_signature = execution::to_hex(head->seal.signature);
    }
    return contract_response(Result<SealedHead>(sealed));
}

Response collect(Library& library, const Request& request) {
    const auto keep = number_of(request, "keep", Retention{}.kernels_per_blueprint, 1'000'000);
    if (!keep) return refuse(keep.error());
    const auto collected = library.collect({static_cast<std::uint32_t>(*keep)});
    if (!collected) return refuse(collected.error());
    CollectedObjects gone;
    gone.kernels = collected->kernels;
    gone.files = collected->files;
    gone.young = collected->young;
    gone.bytes = collected->bytes;
    return contract_response(Result<CollectedObjects>(gone));
}

Response show_caller(const Caller& caller) {
    TokenOwner owner;
    owner.name = caller.name;
    owner.role = caller.role;
    return contract_response(Result<TokenOwner>(owner));
}

}  // namespace

std::vector<Operation> sharing_operations(Library& l) {
    const auto* statements = &record_info<KernelStatements>();
    const auto one_verdict = std::make_shared<std::mutex>();
    return {
        {"GET", "/api/v1/caller", "Whose the token is", AccessRole::kResearcher, nullptr,
         &record_info<TokenOwner>(), false,
         [](const Request&, const Caller& c) { return show_caller(c); }},
        {"GET", "/api/v1/statements", "Kernels with what was signed about them, in order of ids",
         AccessRole::kResearcher, nullptr, statements, true,
         [&l](const Request& r, const Caller&) { return list_statements(l, r); }},
        {"GET", "/api/v1/kernels/{id}/statements", "One kernel with what was signed about it",
         AccessRole::kResearcher, nullptr, statements, false,
         [&l](const Request& r, const Caller&) { return show_statements(l, r); }},
        {"POST", "/api/v1/kernels/offers", "Kernels that may be loaded for this, fastest first",
         AccessRole::kResearcher, &record_info<KernelWanted>(), &record_info<KernelList>(), false,
         [&l](const Request& r, const Caller&) { return offer_kernels(l, r); }},
        {"POST", "/api/v1/kernels",
         "Adds a kernel that its forge has sealed; 409 where another one has its id",
         AccessRole::kCurator, &record_info<KernelHandIn>(), &record_info<AddedKernel>(), false,
         [&l](const Request& r, const Caller&) { return add_kernel(l, r); }},
        {"POST", "/api/v1/kernels/{id}/verdict", "Adds a verdict that its gauntlet has sealed",
         AccessRole::kCurator, &record_info<VerdictHandIn>(), statements, false,
         [&l, one_verdict](const Request& r, const Caller&) {
             return add_verdict(l, *one_verdict, r);
         }},
        {"POST", "/api/v1/blueprints/{id}/status", "Moves a blueprint to another status",
         AccessRole::kCurator, nullptr, &record_info<contracts::Blueprint>(), false,
         [&l](const Request& r, const Caller& c) { return set_status(l, r, c); }},
        {"POST", "/api/v1/runs", "Files what a run reports of its seeds, once",
         AccessRole::kOperator, &record_info<RunHandIn>(), &record_info<FiledRun>(), false,
         [&l](const Request& r, const Caller&) { return file_run(l, r); }},
        {"GET", "/api/v1/reports", "How seeds ended in runs, oldest first", AccessRole::kResearcher,
         nullptr, &record_info<RunReport>(), true,
         [&l](const Request& r, const Caller&) { return list_reports(l, r); }},
        {"GET", "/api/v1/candidates", "Candidates that runs measured, summed",
         AccessRole::kResearcher, nullptr, &record_info<CandidateList>(), false,
         [&l](const Request&, const Caller&) { return list_candidates(l); }},
        {"GET", "/api/v1/ledger/seal", "The ledger's head as the library signed it",
         AccessRole::kResearcher, nullptr, &record_info<SealedHead>(), false,
         [&l](const Request&, const Caller&) { return show_seal(l); }},
        {"POST", "/api/v1/collect", "Drops the objects of kernels that nobody needs",
         AccessRole::kAdmin, nullptr, &record_info<CollectedObjects>(), false,
         [&l](const Request& r, const Caller&) { return collect(l, r); }},
    };
}

}  // namespace esper::urza
