#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "esper/base/hash.h"
#include "esper/kernel_abi.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/reasons.h"
#include "esper/services/urza/remote_answers.h"
#include "esper/services/urza/remote_library.h"
#include "esper/services/urza/rows.h"
#include "esper/services/urza/wire.h"

// Kernels from a library's server, and whether they are what was signed.

namespace esper::urza {
namespace {

Result<KernelRecord> kernel_in(const std::string& text) {
    ESPER_TRY(const auto sent, record_in<KernelStatements>(text));
    return record_of(sent);
}

/// Whether the object has the digest that its manifest names.
Status check_object(const execution::KernelBundle& bundle, const KernelRecord& record) {
    const std::string found = sha256(bundle.object).hex();
    if (bundle.manifest == record.manifest_text && found == *record.artifact.metadata.checksum)
        return {};
    return fail(UrzaError::kBadObject,
                fmt::format("kernel {}: what the server sent has the SHA-256 {}, its manifest says "
                            "{}; it is not used",
                            record.manifest.artifact, found, *record.artifact.metadata.checksum));
}

/// Whether the error says something about what the server keeps, not about asking it.
bool is_of_the_library(const Error& error) {
    return !error.is(UrzaError::kUnreachable) && !error.is(UrzaError::kDenied) &&
           !error.is(utils::HttpError::kTls);
}

}  // namespace

Result<KernelRecord> RemoteLibrary::kernel(std::string_view id) {
    ESPER_TRY(const auto text,
              client_.get(fmt::format("/api/v1/kernels/{}/statements", escaped(id))));
    ESPER_TRY(auto record, kernel_in(text));
    if (record.manifest.artifact == id) return record;
    return bad_answer(fmt::format("asked for kernel {}, got {}", id, record.manifest.artifact));
}

Result<std::vector<KernelRecord>> RemoteLibrary::kernels(const PageOf& page) {
    return all_of<KernelRecord>(
        page, [&](const std::string& query) { return client_.get("/api/v1/statements?" + query); },
        kernel_in, [](const KernelRecord& record) { return record.manifest.artifact; });
}

Result<std::vector<KernelRecord>> RemoteLibrary::offers(const KernelAsk& ask) {
    ESPER_TRY(const auto wanted, contracts::to_json(wanted_of(ask)));
    bool repeated = false;
    ESPER_TRY(const auto text, client_.post("/api/v1/kernels/offers", wanted, &repeated));
    ESPER_TRY(const auto list, record_in<KernelList>(text));
    const auto want = want_of(ask);
    std::vector<KernelRecord> found;
    for (const auto& sent : list.items) {
        auto record = record_of(sent);
        if (record && !record->is_collected &&
            record->artifact.status == contracts::KernelStatus::kValidated &&
            execution::verify_statements(bundle_of(*record), ring_, want))
            found.push_back(std::move(*record));
    }
    std::ranges::stable_sort(found, {}, order_of);
    return found;
}

Result<contracts::KernelQueryResult> RemoteLibrary::query(const contracts::KernelQuery& query) {
    ESPER_TRY(const auto asked, contracts::to_json(query));
    bool repeated = false;
    ESPER_TRY(const auto text, client_.post("/api/v1/kernels/query", asked, &repeated));
    ESPER_TRY(auto result, record_in<contracts::KernelQueryResult>(text));
    if (result.matching_kernels.size() > query.limit)
        return bad_answer(fmt::format("{} kernels where {} were asked for",
                                      result.matching_kernels.size(), query.limit));
    const auto before = result.matching_kernels.size();
    std::erase_if(result.matching_kernels, [&](const contracts::KernelMatch& match) {
        const auto record = kernel(match.kernel_artifact_id);
        if (!record || record->manifest.branch != match.blueprint_id) return true;
        execution::KernelWant want;
        want.cpu_features = record->manifest.cpu_features;  // the asker's machine is not this one
        return !execution::verify_statements(bundle_of(*record), ring_, want);
    });
    result.total_matches -= before - result.matching_kernels.size();
    return result;
}

Result<std::string> RemoteLibrary::fetch(std::string_view id) {
    ESPER_TRY(const KernelRecord record, kernel(id));
    ESPER_TRY(auto bytes,
              client_.get_object(fmt::format("/api/v1/kernels/{}/bundle", escaped(id))));
    const auto bundle = execution::parse_bundle(bytes);
    if (!bundle) return bad_answer(bundle.error().message());
    ESPER_CHECK_STATUS(check_object(*bundle, record));
    return bytes;
}

Result<std::vector<Reason>> RemoteLibrary::why(std::string_view id,
                                               const std::optional<KernelAsk>& ask) {
    ESPER_TRY(const KernelRecord record, kernel(id));
    const auto object = fetch(id);
    return reasons_of(record, object ? Status() : Status(tl::unexpected(object.error())), ring_,
                      ask, [this](const KernelAsk& asked) { return offers(asked); });
}

/// The digests that the ledger has of a subject.
struct RemoteLibrary::Digests {
    std::map<std::pair<std::string, std::string>, std::set<std::string>> of;
    bool are_all = false;  ///< else the ledger itself is wrong, and says nothing of anything

    Status check(const std::string& action, const std::string& subject,
                 const std::string& digest) const {
        if (!are_all) return {};
        const auto found = of.find({action, subject});
        if (found != of.end() && found->second.contains(digest)) return {};
        return fail(UrzaError::kBadRow,
                    fmt::format("{}: the ledger has it with other content, or not at all; somebody "
                                "changed what the server keeps",
                                subject));
    }
};

Status RemoteLibrary::verify_blueprints(const Digests& digests, std::vector<Error>& wrong) {
    PageOf page;
    for (;;) {
        ESPER_TRY(const auto found, blueprints(page));
        for (auto blueprint : found) {
            // As it was when it was added.
            page.after = blueprint.blueprint_id;
            blueprint.status = contracts::BlueprintStatus::kUnvalidated;
            blueprint.updated_at = blueprint.created_at;
            blueprint.compiled_artifacts.clear();
            ESPER_TRY(const auto record, contracts::to_json(blueprint));
            if (const Status sound =
                    digests.check("add blueprint", blueprint.blueprint_id, sha256(record).hex());
                !sound)
                wrong.push_back(sound.error());
        }
        if (found.size() < page.limit) return {};
    }
}

Status RemoteLibrary::verify_kernel(const Digests& digests, const KernelRecord& record) {
    const std::string& id = record.manifest.artifact;
    const auto bundle = bundle_of(record);
    ESPER_CHECK_STATUS(ring_.check(execution::KeyRole::kForge, execution::kManifestType,
                                   bundle.manifest, bundle.forged));
    ESPER_CHECK_STATUS(digests.check("add kernel", id, digest_of(record)));
    if (!bundle.verdict.empty()) {
        ESPER_CHECK_STATUS(ring_.check(execution::KeyRole::kGauntlet, execution::kVerdictType,
                                       bundle.verdict, bundle.judged));
        ESPER_CHECK_STATUS(
            digests.check(record.verdict->passed ? "validate kernel" : "reject kernel", id,
                          digest_of(record.verdict_text, record.report_text)));
    }
    const bool older = record.manifest.abi < ESPER_BRANCH_KERNEL_ABI;
    if (record.artifact.status == contracts::KernelStatus::kValidated && !older) {
        execution::KernelWant any;
        any.cpu_features = record.manifest.cpu_features;
        ESPER_CHECK_STATUS(execution::verify_statements(bundle, ring_, any));
    }
    if (record.is_collected) return {};
    ESPER_CHECK_STATUS(fetch(id));
    if (!older) return {};
    return fail(execution::KernelError::kAbiMismatch,
                fmt::format("kernel {}: made for an older kernel interface ({}, this is {}); "
                            "esper library gc removes it",
                            id, record.manifest.abi, ESPER_BRANCH_KERNEL_ABI));
}

Status RemoteLibrary::verify_kernels(const Digests& digests, std::vector<Error>& wrong) {
    PageOf page;
    for (;;) {
        ESPER_TRY(const auto found, kernels(page));
        for (const auto& record : found) {
            page.after = record.manifest.artifact;
            Status sound = verify_kernel(digests, record);
            if (sound) continue;
            if (!is_of_the_library(sound.error())) return sound;
            wrong.push_back(sound.error());
        }
        if (found.size() < page.limit) return {};
    }
}

Result<std::vector<Error>> RemoteLibrary::verify(const std::optional<LedgerHead>& remembered) {
    // Others may change the library meanwhile: what is wrong is looked at again with a newer head.
    constexpr int kTries = 3;
    for (int i = 1;; ++i) {
        const auto before = head();
        if (!before) {
            if (!is_of_the_library(before.error())) return fail(before.error());
            return std::vector<Error>{before.error()};
        }
        ESPER_TRY(auto wrong, verify_up_to(*before, remembered));
        if (wrong.empty() || i == kTries) return wrong;
        const auto after = head();
        if (after && after->number == before->number) return wrong;
    }
}

Result<std::vector<Error>> RemoteLibrary::verify_up_to(
    const LedgerHead& head, const std::optional<LedgerHead>& remembered) {
    std::vector<Error> wrong;
    const auto note = [&](const Status& checked) -> Status {
        if (checked || !is_of_the_library(checked.error())) return checked;
        wrong.push_back(checked.error());
        return {};
    };
    Digests digests;
    const auto pages = [&](std::uint64_t after) -> Result<std::vector<LedgerEntry>> {
        if (after >= head.number) return std::vector<LedgerEntry>();
        const auto rest = std::min<std::uint64_t>(kMostOnPage, head.number - after);
        return ledger(after, static_cast<std::uint32_t>(rest));
    };
    const Status chain = follow_ledger(pages, head, remembered, [&](const LedgerEntry& entry) {
        digests.of[{entry.action, entry.subject}].insert(entry.digest);
        digests.are_all = entry.number == head.number;
    });
    digests.are_all = digests.are_all || head.number == 0;
    ESPER_CHECK_STATUS(note(chain));
    ESPER_CHECK_STATUS(note(verify_blueprints(digests, wrong)));
    ESPER_CHECK_STATUS(note(verify_kernels(digests, wrong)));
    return wrong;
}

}  // namespace esper::urza
