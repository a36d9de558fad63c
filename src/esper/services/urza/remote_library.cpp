#include "esper/services/urza/remote_library.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/program/program_hash.h"
#include "esper/program/text/text_format.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/library_keys.h"
#include "esper/services/urza/remote_answers.h"
#include "esper/services/urza/wire.h"

namespace esper::urza {
namespace {

using nlohmann::json;

/// Whether this is what its id says. The id is a hash of the Program, so nothing signed is needed.
Status check_blueprint(const contracts::Blueprint& blueprint) {
    if (const Status valid = contracts::validate(blueprint); !valid)
        return bad_answer(valid.error().message());
    const auto program = graph::from_text(blueprint.architecture);
    if (program && (*program)->hash().hex() == blueprint.blueprint_id) return {};
    return bad_answer(fmt::format("blueprint {} is {}", blueprint.blueprint_id,
                                  program ? "another Program" : program.error().message()));
}

std::string as_of(const contracts::Actor& actor) {
    const auto* component = std::get_if<contracts::ComponentType>(&actor);
    return component == nullptr ? "" : fmt::format("&as={}", contracts::to_text(*component));
}

}  // namespace

RemoteLibrary::RemoteLibrary(ServerAddress address, execution::KeyRing ring, Options options)
    : client_(std::move(address), options.patience, std::move(options.give_up)),
      ring_(std::move(ring)),
      to_look_at_(options.to_look_at) {}

Result<std::unique_ptr<RemoteLibrary>> RemoteLibrary::open(const std::string& url,
                                                           Options options) {
    ESPER_TRY(auto address, server_address(url));
    const auto keys = keys_of(url);
    if (!keys_are_there(keys)) return fail(no_keys(url, keys));
    ESPER_TRY(auto ring, keys.ring());
    return std::make_unique<RemoteLibrary>(std::move(address), std::move(ring), std::move(options));
}

Status RemoteLibrary::refuse_looking() const {
    if (!to_look_at_) return {};
    return fail(UrzaError::kReadOnly, client_.base() + " was opened to be looked at");
}

Result<std::string> RemoteLibrary::change(const std::string& target, std::string_view json,
                                          bool* repeated) {
    ESPER_CHECK_STATUS(refuse_looking());
    return client_.post(target, json, repeated);
}

Status RemoteLibrary::may_change() const {
    ESPER_CHECK_STATUS(refuse_looking());
    const std::lock_guard lock(mutex_);
    if (may_change_) return *may_change_;
    ESPER_TRY(const auto text, client_.get("/api/v1/caller"));
    ESPER_TRY(const auto owner, record_in<TokenOwner>(text));
    may_change_ = Status();
    if (owner.role < contracts::AccessRole::kCurator)
        may_change_ =
            fail(UrzaError::kReadOnly,
                 fmt::format("{}: this token's role is {}, and to add kernels this needs the role "
                             "curator; what is there is used",
                             client_.base(), contracts::to_text(owner.role)));
    return *may_change_;
}

Result<std::string> RemoteLibrary::add_blueprint(const contracts::BlueprintSubmission& submission) {
    ESPER_CHECK_STATUS(contracts::check(submission));
    const auto program = graph::from_text(submission.architecture);
    if (!program) return fail(UrzaError::kBadBlueprint, program.error().message());
    std::string id = (*program)->hash().hex();
    if (blueprint(id)) return id;
    ESPER_TRY(const auto text, contracts::to_json(submission));
    bool repeated = false;
    const auto added = change("/api/v1/blueprints", text, &repeated);
    if (!added) {
        // It may be there since, or the answer to the first try was lost.
        if (added.error().is(UrzaError::kConflict) && blueprint(id)) return id;
        return fail(added.error());
    }
    ESPER_TRY(const auto blueprint, record_in<contracts::Blueprint>(*added));
    ESPER_CHECK_STATUS(check_blueprint(blueprint));
    if (blueprint.blueprint_id == id) return id;
    return bad_answer("it added another blueprint than it was given");
}

Result<contracts::Blueprint> RemoteLibrary::blueprint(std::string_view id) {
    ESPER_TRY(const auto text, client_.get("/api/v1/blueprints/" + escaped(id)));
    ESPER_TRY(auto blueprint, record_in<contracts::Blueprint>(text));
    ESPER_CHECK_STATUS(check_blueprint(blueprint));
    if (blueprint.blueprint_id != id)
        return bad_answer(
            fmt::format("asked for blueprint {}, got {}", id, blueprint.blueprint_id));
    return blueprint;
}

Result<std::vector<contracts::Blueprint>> RemoteLibrary::blueprints(const PageOf& page) {
    return all_of<contracts::Blueprint>(
        page, [&](const std::string& query) { return client_.get("/api/v1/blueprints?" + query); },
        [](const std::string& text) -> Result<contracts::Blueprint> {
            ESPER_TRY(auto blueprint, record_in<contracts::Blueprint>(text));
            ESPER_CHECK_STATUS(check_blueprint(blueprint));
            return blueprint;
        },
        [](const contracts::Blueprint& blueprint) { return blueprint.blueprint_id; });
}

Status RemoteLibrary::set_blueprint_status(std::string_view id, contracts::BlueprintStatus to,
                                           const contracts::Actor& actor) {
    const auto set = change(fmt::format("/api/v1/blueprints/{}/status?to={}{}", escaped(id),
                                        contracts::to_text(to), as_of(actor)),
                            "", nullptr);
    return set ? Status() : fail(set.error());
}

Result<std::string> RemoteLibrary::add_kernel(NewKernel kernel) {
    ESPER_TRY(const auto manifest, execution::verify_forged(kernel.bundle, ring_));
    ESPER_TRY(const auto sent, hand_in_of(kernel));
    ESPER_TRY(const auto text, contracts::to_json(sent));
    bool repeated = false;
    ESPER_TRY(const auto answer, change("/api/v1/kernels", text, &repeated));
    ESPER_TRY(const auto added, record_in<AddedKernel>(answer));
    if (added.kernel_artifact_id == manifest.artifact) return added.kernel_artifact_id;
    return bad_answer("it added another kernel than it was given");
}

Status RemoteLibrary::add_verdict(std::string_view kernel, std::string verdict,
                                  execution::Seal seal, std::string report) {
    ESPER_CHECK_STATUS(
        ring_.check(execution::KeyRole::kGauntlet, execution::kVerdictType, verdict, seal));
    VerdictHandIn sent;
    sent.verdict = std::move(verdict);
    sent.gauntlet_key = seal.key;
    sent.gauntlet_signature = execution::to_hex(seal.signature);
    sent.report = std::move(report);
    ESPER_TRY(const auto text, contracts::to_json(sent));
    bool repeated = false;
    ESPER_CHECK_STATUS(
        change(fmt::format("/api/v1/kernels/{}/verdict", escaped(kernel)), text, &repeated));
    return {};
}

Status RemoteLibrary::deprecate(std::string_view id, const contracts::Actor& actor,
                                std::string_view reason) {
    // The server knows who asks only by the token.
    ESPER_CHECK_STATUS(contracts::check_transition(contracts::KernelStatus::kValidated,
                                                   contracts::KernelStatus::kDeprecated, actor));
    bool repeated = false;
    const auto done =
        change(fmt::format("/api/v1/kernels/{}/deprecate?reason={}", escaped(id), escaped(reason)),
               "", &repeated);
    if (done) return {};
    // The answer to the first try was lost.
    if (repeated && done.error().is(contracts::ContractError::kIllegalTransition)) return {};
    return fail(done.error());
}

Result<bool> RemoteLibrary::file_run(const FieldRun& run) {
    ESPER_TRY(const auto text, contracts::to_json(hand_in_of(run)));
    bool repeated = false;
    ESPER_TRY(const auto answer, change("/api/v1/runs", text, &repeated));
    ESPER_TRY(const auto filed, record_in<FiledRun>(answer));
    return filed.is_new || repeated;
}

Result<std::vector<FiledReport>> RemoteLibrary::reports(std::string_view blueprint) {
    std::vector<FiledReport> found;
    for (;;) {
        ESPER_TRY(const auto text,
                  client_.get(fmt::format("/api/v1/reports?blueprint={}&after={}&limit={}",
                                          escaped(blueprint), found.size(), kMostOnPage)));
        ESPER_TRY(const auto items, items_in(text, kMostOnPage));
        for (const auto& item : items) {
            ESPER_TRY(const auto sent, record_in<RunReport>(item.dump()));
            found.push_back(filed_of(sent));
        }
        constexpr std::size_t kMostReports = 1'000'000;
        if (items.size() < kMostOnPage || found.size() >= kMostReports) return found;
    }
}

Result<std::vector<MeasuredCandidates>> RemoteLibrary::measured_candidates() {
    ESPER_TRY(const auto text, client_.get("/api/v1/candidates"));
    ESPER_TRY(const auto list, record_in<CandidateList>(text));
    std::vector<MeasuredCandidates> found;
    for (const auto& candidates : list.items) found.push_back(candidates_of(candidates));
    return found;
}

Result<std::vector<LedgerEntry>> RemoteLibrary::ledger(std::uint64_t after, std::uint32_t limit) {
    const auto most = std::clamp<std::uint32_t>(limit, 1, kMostOnPage);
    ESPER_TRY(const auto text,
              client_.get(fmt::format("/api/v1/ledger?after={}&limit={}", after, most)));
    ESPER_TRY(const auto items, items_in(text, most));
    std::vector<LedgerEntry> found;
    for (const auto& item : items) {
        const auto text_of = [&](const char* name) {
            const auto at = item.is_object() ? item.find(name) : item.end();
            return at != item.end() && at->is_string() ? at->get<std::string>() : "";
        };
        if (!item.is_object() || !item.value("number", json()).is_number_unsigned())
            return bad_answer("an entry of the ledger without a number");
        found.push_back({item["number"], text_of("at"), text_of("actor"), text_of("action"),
                         text_of("subject"), text_of("digest"), text_of("hash")});
        if (found.back().number <= after) return bad_answer("entries of the ledger out of order");
        after = found.back().number;
    }
    return found;
}

Result<LedgerHead> RemoteLibrary::head() {
    ESPER_TRY(const auto text, client_.get("/api/v1/ledger/seal"));
    ESPER_TRY(const auto sent, record_in<SealedHead>(text));
    if (sent.statement.empty()) return LedgerHead{};
    ESPER_TRY(const auto seal, seal_of(sent.library_key, sent.library_signature));
    return head_of(sent.statement, seal, ring_);
}

Result<Collected> RemoteLibrary::collect(const Retention& retention) {
    ESPER_TRY(const auto answer,
              change(fmt::format("/api/v1/collect?keep={}", retention.kernels_per_blueprint), "",
                     nullptr));
    ESPER_TRY(const auto gone, record_in<CollectedObjects>(answer));
    return Collected{gone.kernels, gone.files, gone.young, gone.bytes};
}

}  // namespace esper::urza
