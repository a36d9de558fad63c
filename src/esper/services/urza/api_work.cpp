#include "esper/services/urza/api_work.h"

#include <algorithm>
#include <array>

#include "esper/services/urza/api_answers.h"
#include "esper/services/urza/remote_answers.h"
#include "esper/services/urza/work_wire.h"

namespace esper::urza {

WorkItem item_of(const WorkRow& row) {
    WorkItem item;
    item.id = row.id;
    item.subject = row.subject;
    item.hardware = row.hardware;
    item.state = state_name(row.state);
    item.worker = row.worker;
    item.leased_until = row.leased_until;
    item.not_before = row.not_before;
    item.attempts = row.attempts;
    item.said = row.said;
    return item;
}

Result<WorkRow> row_of(const WorkItem& item) {
    const auto state = state_of_name(item.state);
    if (!state) return bad_answer("a job has the state " + item.state);
    return WorkRow{item.id,           item.subject,    item.hardware, *state,   item.worker,
                   item.leased_until, item.not_before, item.attempts, item.said};
}

namespace {

using contracts::AccessRole;
using contracts::record_info;
using serving::problem;
using serving::Request;
using serving::Response;
using std::chrono::milliseconds;

Response show_work(Library& library, const std::string& id) {
    const auto row = library.work().work_of(id);
    if (!row) return refuse(row.error());
    return contract_response(Result<WorkItem>(item_of(*row)));
}

Response list_work(Library& library, const Request& request) {
    const auto page = page_of(request);
    if (!page) return refuse(page.error());
    const auto asked = request.asked("state");
    const auto state = asked ? state_of_name(*asked) : std::nullopt;
    if (asked && !state)
        return problem(400, "state=…: expected waiting, leased, done or dead", "urza.BadRequest");
    return page_response(
        library.work().work(state, page->after, page->limit), *page,
        [](const WorkRow& row) {
            return nlohmann::json::parse(contracts::to_json(item_of(row)).value_or("null"));
        },
        [](const WorkRow& row) { return row.id; });
}

Response order_work(Library& library, const Request& request) {
    const auto sent = contracts::from_json<WorkOrder>(request.body);
    if (!sent) return refuse(sent.error());
    const auto id = library.work().order({sent->subject, sent->hardware, sent->orders});
    return id ? show_work(library, *id) : refuse(id.error());
}

Response claim_work(Library& library, const Request& request) {
    const auto sent = contracts::from_json<WorkClaim>(request.body);
    if (!sent) return refuse(sent.error());
    const auto claim =
        library.work().claim(sent->hardware, sent->worker, milliseconds(sent->lease_ms));
    if (!claim) return refuse(claim.error());
    ClaimedWork claimed;
    if (*claim) {
        claimed.id = (*claim)->id;
        claimed.token = (*claim)->token;
        claimed.subject = (*claim)->subject;
        claimed.orders = (*claim)->orders;
        claimed.attempts = (*claim)->attempts;
    }
    return contract_response(Result<ClaimedWork>(claimed));
}

/// What a worker says of its job: `act` gets the claim and the words.
template <typename Act>
Response progress(Library& library, const Request& request, const Act& act) {
    const auto sent = contracts::from_json<WorkProgress>(request.body);
    if (!sent) return refuse(sent.error());
    const std::string id(request.parameter("id"));
    const auto row = library.work().work_of(id);
    if (!row) return refuse(row.error());
    Claim claim;
    claim.id = id;
    claim.token = sent->token;
    claim.attempts = row->attempts;
    const Status done = act(library.work(), claim, *sent);
    return done ? show_work(library, id) : refuse(done.error());
}

Response retry_work(Library& library, const Request& request, const Caller& caller) {
    const std::string id(request.parameter("id"));
    const Status done = library.work().retry(id, caller.name);
    return done ? show_work(library, id) : refuse(done.error());
}

template <typename Act>
Operation step(Library& l, const char* name, const char* what, Act act) {
    return {"POST",
            std::string("/api/v1/work/{id}/") + name,
            what,
            AccessRole::kCurator,
            &record_info<WorkProgress>(),
            &record_info<WorkItem>(),
            false,
            [&l, act](const Request& r, const Caller&) { return progress(l, r, act); }};
}

}  // namespace

std::vector<Operation> work_operations(Library& l) {
    const auto* item = &record_info<WorkItem>();
    return {
        {"GET", "/api/v1/work", "Jobs in the order of their ids", AccessRole::kResearcher, nullptr,
         item, true, [&l](const Request& r, const Caller&) { return list_work(l, r); }},
        {"GET", "/api/v1/work/{id}", "One job", AccessRole::kResearcher, nullptr, item, false,
         [&l](const Request& r, const Caller&) {
             return show_work(l, std::string(r.parameter("id")));
         }},
        {"POST", "/api/v1/work", "Orders a job; the same again is the same job",
         AccessRole::kOperator, &record_info<WorkOrder>(), item, false,
         [&l](const Request& r, const Caller&) { return order_work(l, r); }},
        {"POST", "/api/v1/work/claim", "Gives a worker a job for a time", AccessRole::kCurator,
         &record_info<WorkClaim>(), &record_info<ClaimedWork>(), false,
         [&l](const Request& r, const Caller&) { return claim_work(l, r); }},
        step(l, "extend", "Extends the worker's lease; 409 where another has the job by now",
             [](WorkQueue& queue, const Claim& claim, const WorkProgress& sent) {
                 return queue.extend(claim, milliseconds(sent.lease_ms));
             }),
        step(l, "finish",
             "Hands in a result; 409 where another has the job by now, or for a second, other "
             "result",
             [](WorkQueue& queue, const Claim& claim, const WorkProgress& sent) {
                 return queue.finish(claim, sent.said);
             }),
        step(l, "fail", "Says why the attempt failed; 409 where another has the job by now",
             [](WorkQueue& queue, const Claim& claim, const WorkProgress& sent) {
                 return queue.attempt_failed(claim, sent.said);
             }),
        step(l, "hand_back", "The job waits again; 409 where another has it by now",
             [](WorkQueue& queue, const Claim& claim, const WorkProgress&) {
                 return queue.hand_back(claim);
             }),
        {"POST", "/api/v1/work/{id}/retry", "A dead or a done job waits again",
         AccessRole::kCurator, nullptr, item, false,
         [&l](const Request& r, const Caller& c) { return retry_work(l, r, c); }},
    };
}

}  // namespace esper::urza
