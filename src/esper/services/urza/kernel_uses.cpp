#include "esper/services/urza/kernel_uses.h"

#include <map>
#include <utility>

#include "esper/services/urza/rows.h"

namespace esper::urza {

namespace {

struct Reported {
    std::optional<double> risk, measured;
};

Result<Reported> reported_of(Library& library, const std::string& kernel) {
    const auto record = library.kernel(kernel);
    // A row that cannot be read is for `verify`.
    if (!record && record.error().is(UrzaError::kUnreachable)) return fail(record.error());
    if (!record || !record->artifact.validation_report) return Reported{};
    const auto& report = *record->artifact.validation_report;
    return Reported{report.risk_score, figure_of(report.benchmark_results, kMeasuredRisk)};
}

}  // namespace

Result<std::vector<KernelUse>> kernel_uses(Library& library) {
    ESPER_TRY(const auto reports, library.reports(""));
    std::vector<KernelUse> uses;
    std::map<std::pair<std::string, std::string>, std::size_t> known;
    std::map<std::string, Reported> reported;
    for (const auto& filed : reports) {
        const auto& report = filed.report;
        const auto failed = figure_of(report.eval_metrics, kKernelFailed);
        if (!failed) continue;
        const auto& kernel = report.kernel_artifact_id;
        const auto [at, is_new] = known.try_emplace({filed.run, kernel}, uses.size());
        if (is_new) uses.push_back({filed.run, kernel, report.blueprint_id});
        auto& use = uses[at->second];
        use.failed = use.failed || *failed > 0;
        if (!reported.contains(kernel)) {
            ESPER_TRY(reported[kernel], reported_of(library, kernel));
        }
        use.risk = reported[kernel].risk;
        use.measured = reported[kernel].measured;
    }
    return uses;
}

}  // namespace esper::urza
