#include "esper/services/urza/reasons.h"

#include <fmt/format.h>

#include "esper/services/urza/rows.h"

// Why a kernel may be used, or not.

namespace esper::urza {

using contracts::KernelStatus;

execution::KernelWant want_of(const KernelAsk& ask) {
    execution::KernelWant want;
    want.branch = ask.branch;
    want.precision = ask.precision;
    want.shape = ask.shape;
    want.cpu_features = ask.cpu_features;
    return want;
}

double order_of(const KernelRecord& record) {
    const auto& report = record.artifact.validation_report;
    return report ? latency_of(report->benchmark_results).value_or(1e300) : 1e300;
}

namespace {

Reason reason(std::string what, const Status& status, std::string good) {
    return {std::move(what), status.has_value(),
            status ? std::move(good) : status.error().to_string()};
}

Reason risk_reason(const std::optional<double>& risk) {
    Reason given{"its risk is not speculative", true, "it was validated before there were scores"};
    if (!risk) return given;
    const auto level = contracts::confidence_for_risk(*risk);
    given.holds = level != contracts::ConfidenceLevel::kSpeculative;
    given.why = fmt::format("{:.3f}, {}", *risk, contracts::to_text(level));
    if (!given.holds) given.why += ": runs take it only with growth.allow_speculative=true";
    return given;
}

}  // namespace

Result<std::vector<Reason>> reasons_of(
    const KernelRecord& record, const Status& object, const execution::KeyRing& ring,
    const std::optional<KernelAsk>& ask,
    const std::function<Result<std::vector<KernelRecord>>(const KernelAsk&)>& offers) {
    execution::KernelBundle bundle = bundle_of(record);
    std::vector<Reason> reasons;
    reasons.push_back(reason("the forge sealed its manifest",
                             ring.check(execution::KeyRole::kForge, execution::kManifestType,
                                        bundle.manifest, bundle.forged),
                             "key " + record.forged.key));
    reasons.push_back(
        reason("its object is the manifest's", object, *record.artifact.metadata.checksum));
    const auto& features = ask ? ask->cpu_features : execution::cpu_features_here();
    reasons.push_back(reason("this machine can run it",
                             execution::fits_machine(record.manifest, features),
                             record.manifest.isa));
    execution::KernelWant any;
    any.cpu_features = record.manifest.cpu_features;
    const auto judged = execution::verify_statements(bundle, ring, any);
    reasons.push_back(reason(
        "the gauntlet validated it", judged ? Status{} : Status(tl::unexpected(judged.error())),
        judged ? fmt::format("key {}, on {}", record.judged.key, judged->verdict.hardware) : ""));
    reasons.push_back({"it is in use", record.artifact.status == KernelStatus::kValidated,
                       fmt::format("status {}", contracts::to_text(record.artifact.status))});
    if (const auto& report = record.artifact.validation_report; report && report->passed_validation)
        reasons.push_back(risk_reason(report->risk_score));
    if (!ask) return reasons;
    const auto fits = execution::verify_statements(bundle, ring, want_of(*ask));
    reasons.push_back(reason("it is for what was asked",
                             fits ? Status{} : Status(tl::unexpected(fits.error())),
                             to_string(record.manifest.shape)));
    ESPER_TRY(const auto best, offers(*ask));
    const bool first = !best.empty() && best.front().artifact.kernel_artifact_id ==
                                            record.artifact.kernel_artifact_id;
    reasons.push_back({"it is the fastest that fits", first,
                       best.empty()
                           ? "none fits"
                           : "the fastest is " + best.front().artifact.kernel_artifact_id});
    return reasons;
}

}  // namespace esper::urza
