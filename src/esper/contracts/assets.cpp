#include "esper/contracts/assets.h"

#include <fmt/format.h>

namespace esper::contracts {
namespace {

std::string check_order(Timestamp created, Timestamp updated) {
    if (created <= updated) return {};
    return fmt::format("updated_at {} lies before created_at {}", to_string(updated),
                       to_string(created));
}

}  // namespace

ConfidenceLevel confidence_for_risk(double risk_score) {
    if (risk_score <= 0.2) return ConfidenceLevel::kHigh;
    if (risk_score <= 0.5) return ConfidenceLevel::kModerate;
    return ConfidenceLevel::kSpeculative;
}

std::string UrabraskValidationReport::inconsistency() const {
    if (passed_validation && failure) return "passed_validation is true, but failure says why not";
    if (conf_level.has_value() != risk_score.has_value()) {
        return "risk_score and conf_level go together";
    }
    if (risk_score && *conf_level != confidence_for_risk(*risk_score)) {
        return fmt::format("risk_score {} means conf_level {}, not {}", *risk_score,
                           to_text(confidence_for_risk(*risk_score)), to_text(*conf_level));
    }
    return {};
}

std::string CompiledKernelArtifact::inconsistency() const {
    const bool measured = validation_report.has_value();
    if (status == KernelStatus::kValidated && !(measured && validation_report->passed_validation)) {
        return "status VALIDATED needs a validation_report that passed";
    }
    if (status == KernelStatus::kPendingBenchmarking && measured) {
        return "status PENDING_BENCHMARKING, but there is a validation_report";
    }
    if (compilation_metadata.pipeline != compilation_pipeline) {
        return fmt::format("compilation_pipeline is {}, compilation_metadata says {}",
                           to_text(compilation_pipeline), to_text(compilation_metadata.pipeline));
    }
    return {};
}

std::string Blueprint::metric_summary() const {
    if (performance_metrics.empty()) return "none available";
    std::string out;
    for (const auto& [name_of, value] : performance_metrics) {
        if (!out.empty()) out += ", ";
        out += fmt::format("{}: {:.3f}", name_of, value);
    }
    return out;
}

std::string Blueprint::inconsistency() const { return check_order(created_at, updated_at); }

}  // namespace esper::contracts
