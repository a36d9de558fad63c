#include <fmt/format.h>

#include "esper/services/urza/remote_answers.h"
#include "esper/services/urza/remote_library.h"
#include "esper/services/urza/work_wire.h"

// Work over HTTP. An answer that is lost costs nothing: to order or to finish twice is to do it
// once, and a claim that nobody heard of ends with its lease.

namespace esper::urza {
namespace {

Result<WorkRow> row_in(const std::string& text) {
    ESPER_TRY(const auto item, record_in<WorkItem>(text));
    return row_of(item);
}

}  // namespace

Result<std::string> RemoteLibrary::order(const NewWork& work) {
    WorkOrder sent;
    sent.subject = work.subject;
    sent.hardware = work.hardware;
    sent.orders = work.orders;
    ESPER_TRY(const auto text, contracts::to_json(sent));
    bool repeated = false;
    ESPER_TRY(const auto answer, change("/api/v1/work", text, &repeated));
    ESPER_TRY(const auto row, row_in(answer));
    if (row.id == id_of(work)) return row.id;
    return bad_answer("it ordered another job than it was given");
}

Result<std::optional<Claim>> RemoteLibrary::claim(std::string_view hardware,
                                                  std::string_view worker,
                                                  std::chrono::milliseconds lease) {
    WorkClaim sent;
    sent.hardware = hardware;
    sent.worker = worker;
    sent.lease_ms = lease.count();
    ESPER_TRY(const auto text, contracts::to_json(sent));
    ESPER_TRY(const auto answer, change("/api/v1/work/claim", text, nullptr));
    ESPER_TRY(const auto claimed, record_in<ClaimedWork>(answer));
    if (claimed.id.empty()) return std::optional<Claim>();
    Claim claim{claimed.id, claimed.token, claimed.subject, claimed.orders, claimed.attempts};
    if (id_of(NewWork{"", std::string(hardware), claim.orders}) != claim.id)
        return bad_answer(
            "it gave a job for other hardware, or with other orders than its id says");
    return std::optional(std::move(claim));
}

Status RemoteLibrary::progress(const Claim& claim, const char* what, std::string_view said,
                               std::chrono::milliseconds lease) {
    WorkProgress sent;
    sent.token = claim.token;
    sent.said = said;
    if (lease.count() > 0) sent.lease_ms = lease.count();
    ESPER_TRY(const auto text, contracts::to_json(sent));
    bool repeated = false;
    const auto done =
        change(fmt::format("/api/v1/work/{}/{}", escaped(claim.id), what), text, &repeated);
    return done ? Status() : fail(done.error());
}

Status RemoteLibrary::extend(const Claim& claim, std::chrono::milliseconds lease) {
    return progress(claim, "extend", "", lease);
}

Status RemoteLibrary::finish(const Claim& claim, std::string_view result) {
    return progress(claim, "finish", result, {});
}

Status RemoteLibrary::attempt_failed(const Claim& claim, std::string_view error) {
    return progress(claim, "fail", error, {});
}

Status RemoteLibrary::hand_back(const Claim& claim) { return progress(claim, "hand_back", "", {}); }

Result<std::vector<WorkRow>> RemoteLibrary::work(std::optional<WorkState> state,
                                                 std::string_view after, std::uint32_t limit) {
    const std::string only = state ? fmt::format("state={}&", state_name(*state)) : "";
    return all_of<WorkRow>(
        PageOf{std::string(after), limit},
        [&](const std::string& query) { return client_.get("/api/v1/work?" + only + query); },
        row_in, [](const WorkRow& row) { return row.id; });
}

Result<WorkRow> RemoteLibrary::work_of(std::string_view id) {
    ESPER_TRY(const auto text, client_.get("/api/v1/work/" + escaped(id)));
    ESPER_TRY(auto row, row_in(text));
    if (row.id == id) return row;
    return bad_answer(fmt::format("asked for job {}, got {}", id, row.id));
}

Status RemoteLibrary::retry(std::string_view id, std::string_view) {
    const auto done = change(fmt::format("/api/v1/work/{}/retry", escaped(id)), "", nullptr);
    return done ? Status() : fail(done.error());
}

}  // namespace esper::urza
