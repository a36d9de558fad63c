#include "esper/services/supply/store_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/contracts/codec.h"
#include "esper/kernel_abi.h"
#include "esper/program/text/text_format.h"
#include "esper/services/supply/known_kernels.h"
#include "esper/services/urabrask/risk.h"
#include "esper/services/urabrask/tags.h"
#include "esper/services/urza/catalogue.h"
#include "esper/services/urza/kernel_uses.h"
#include "esper/services/urza/rows.h"

namespace esper::supply {

namespace {

using tezzeret::Forged;

constexpr const char* kMemoryRatio = "memory_ratio";

/// What an instruction set of the forge needs, as /proc/cpuinfo calls it.
std::vector<std::string> features_of(const std::string& isa) {
    std::vector<std::string> features;
    if (isa == "avx2") features = {"avx2", "fma"};
    if (isa.starts_with("avx512"))
        features = {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"};
    if (isa == "avx512bf16") features.emplace_back("avx512_bf16");
    return features;
}

contracts::CompilationPipeline contract_of(tezzeret::Pipeline pipeline) {
    switch (pipeline) {
        case tezzeret::Pipeline::kFast:
            return contracts::CompilationPipeline::kFast;
        case tezzeret::Pipeline::kStandard:
            return contracts::CompilationPipeline::kStandard;
        case tezzeret::Pipeline::kAggressive:
            return contracts::CompilationPipeline::kAggressive;
    }
    return contracts::CompilationPipeline::kFast;
}

/// The first shape of the order: one sample's sizes, and as many samples as it has.
execution::ShapeClass tried(const tezzeret::Order& order) {
    const auto& shape = order.shapes.front();
    return {{shape.begin() + 1, shape.end()}, 1, shape.front()};
}

/// The id of the catalogue's blueprint of that name; "" for none.
Result<std::string> catalogue_id(const std::string& name) {
    ESPER_TRY(const auto catalogue, urza::catalogue_blueprints());
    for (const auto& reference : catalogue) {
        if (reference.name != name) continue;
        ESPER_TRY(const auto program, graph::parse_text(reference.architecture));
        return program->hash().hex();
    }
    return std::string();
}

Status add_branch(urza::Library& library, const std::string& name, const std::string& parent,
                  const graph::Program& branch) {
    contracts::BlueprintSubmission submission;
    submission.name = name;
    submission.description = "a branch that esper forge compiled";
    submission.architecture = graph::to_text(branch);
    submission.submitted_by = "forge";
    if (!parent.empty() && parent != branch.hash().hex()) submission.parents.push_back(parent);
    ESPER_CHECK_STATUS(library.add_blueprint(submission));
    return {};
}

/// What the library knows, beside the trial, that a report is made from.
struct Experience {
    urabrask::FieldCounts kernels;    ///< all
    urabrask::FieldCounts blueprint;  ///< those of one blueprint
    urabrask::TagPopulation others;   ///< kernels that were tried on this hardware
};

/// `blueprint`: its id in the catalogue.
Result<Experience> experience_of(urza::Library& library, const std::string& blueprint) {
    // Ids begin with hashes, so the first of many kernels are a sample of all.
    constexpr std::size_t kMostKernels = 1000;
    Experience known;
    ESPER_TRY(const auto uses, urza::kernel_uses(library));
    for (const auto& use : uses) {
        if (use.measured) known.kernels.add(*use.measured, use.failed);
        if (use.blueprint == blueprint) known.blueprint.add(use.measured.value_or(0), use.failed);
    }
    urza::PageOf page;
    for (std::size_t seen = 0; seen < kMostKernels;) {
        ESPER_TRY(const auto records, library.kernels(page));
        for (const auto& record : records) {
            if (!record.verdict || !record.verdict->passed ||
                record.verdict->hardware != execution::hardware_here())
                continue;
            if (const auto speed = gain_of(record, "speed_percent"); speed > 0)
                known.others.speeds.push_back(speed);
            const auto& measured = record.artifact.validation_report->benchmark_results;
            if (const auto ratio = urza::figure_of(measured, kMemoryRatio))
                known.others.memory_ratios.push_back(*ratio);
        }
        if (records.size() < page.limit) break;
        seen += records.size();
        page.after = records.back().artifact.kernel_artifact_id;
    }
    return known;
}

void add_speed(contracts::UrabraskValidationReport& report, const urabrask::ShapeSpeed& speed) {
    constexpr double kMiB = 1 << 20;
    auto& measured = report.benchmark_results;
    measured["latency_ms_median"] = 1e3 * speed.times.ours_seconds;
    measured["latency_ms_p99"] = 1e3 * speed.calls.p99_seconds;
    measured["latency_calls"] = speed.calls.calls;
    measured["memory_mb_peak"] = speed.peak_bytes / kMiB;
    measured["memory_mb_peak_operators"] = speed.peer_peak_bytes / kMiB;
    report.baseline_comparison = {{"speed_percent", 100 * (speed.times.ratio - 1)},
                                  {"speed_percent_low", 100 * (speed.times.low - 1)},
                                  {"speed_percent_high", 100 * (speed.times.high - 1)}};
    report.generated_tags = {speed.chosen() ? "faster" : "not_faster"};
}

void add_risk(contracts::UrabraskValidationReport& report, const Forged& made,
              const Experience& known) {
    const auto figures = urabrask::risk_figures(made.findings);
    const double measured = urabrask::measured_risk(figures);
    auto& results = report.benchmark_results;
    results["error_share"] = figures.error_share;
    results["speed_spread"] = figures.speed_spread;
    results[kMemoryRatio] = figures.memory_ratio;
    results[urza::kMeasuredRisk] = measured;
    results["field_uses"] = static_cast<double>(known.blueprint.uses);
    results["field_failures"] = static_cast<double>(known.blueprint.failures);
    report.risk_score = urabrask::risk_score(measured, known.kernels, known.blueprint);
    report.conf_level = contracts::confidence_for_risk(*report.risk_score);
    const double speed = made.findings.speeds.front().times.ratio;
    for (auto& tag :
         urabrask::tags_of({speed, figures.memory_ratio, figures.error_share}, known.others))
        report.generated_tags.push_back(std::move(tag));
    results["tagged_among"] = static_cast<double>(known.others.speeds.size());
}

contracts::UrabraskValidationReport report_of(const Forged& made, const Experience& known) {
    contracts::UrabraskValidationReport report;
    report.passed_validation = made.status == Forged::Status::kValidated;
    if (!report.passed_validation) report.failure = made.why;
    report.benchmark_results = {{"cases", made.findings.cases},
                                {"relative_error", made.findings.error},
                                {"relative_error_allowed", made.findings.allowed}};
    if (!made.findings.speeds.empty()) {
        add_speed(report, made.findings.speeds.front());
        if (report.passed_validation) add_risk(report, made, known);
    }
    if (!made.against_known.empty()) {
        const auto& times = made.against_known.front().times;
        report.benchmark_results["times_best_known"] = times.ratio;
        report.benchmark_results["times_best_known_low"] = times.low;
        report.benchmark_results["times_best_known_high"] = times.high;
    }
    report.hardware_context.device_name = execution::hardware_here();
    report.hardware_context.memory_available_gb = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                                  static_cast<double>(sysconf(_SC_PAGE_SIZE)) /
                                                  double(1 << 30);
    report.report_timestamp = contracts::now(system_clock());
    return report;
}

execution::KernelManifest manifest_of(const tezzeret::Order& order, const Forged& made) {
    execution::KernelManifest manifest;
    manifest.abi = ESPER_BRANCH_KERNEL_ABI;
    manifest.branch = order.branch->hash().hex();
    // Its number of rows is free; what was tried stands in the verdict.
    manifest.shape = {tried(order).sample, 1, std::int64_t{1} << 31};
    // Two branches may have one source, so the forge's id alone is not enough.
    manifest.artifact = fmt::format("{}-{}-{}", manifest.branch.substr(0, 12),
                                    fmt::join(manifest.shape.sample, "x"), made.id);
    manifest.precision = tezzeret::precision_name(order);
    manifest.isa = made.isa;
    manifest.cpu_features = features_of(made.isa);
    manifest.pipeline = contract_of(order.pipeline);
    manifest.toolchain = made.compiler;
    manifest.flags = split(made.flags, ' ');
    manifest.sandbox = static_cast<int>(made.sandbox);
    return manifest;
}

}  // namespace

Result<std::string> store_kernel(urza::Library& library, const execution::KeyFolder& keys,
                                 const std::string& blueprint, const std::string& kind,
                                 const tezzeret::Order& order, const Forged& made) {
    if (made.object.empty()) return std::string();
    const auto name = fmt::format("{}/{}", blueprint, kind);
    ESPER_TRY(const auto in_catalogue, catalogue_id(name));
    ESPER_CHECK_STATUS(add_branch(library, name, in_catalogue, *order.branch));
    ESPER_TRY(const auto forge, keys.signer(execution::KeyRole::kForge));
    urza::NewKernel kernel;
    ESPER_TRY(kernel.bundle, execution::forge_bundle(manifest_of(order, made), made.object, forge));
    kernel.metadata.name = name;
    kernel.metadata.input_shape = kernel.metadata.output_shape = tried(order).sample;
    kernel.metadata.parameter_count = static_cast<std::uint64_t>(order.branch->parameter_count());
    kernel.metadata.memory_footprint_mb =
        double(sizeof(float)) * static_cast<double>(kernel.metadata.parameter_count) / (1 << 20);
    kernel.metadata.created_at = contracts::now(system_clock());
    kernel.compilation.pipeline = contract_of(order.pipeline);
    kernel.compilation.compilation_seconds = made.compile_seconds;
    kernel.compilation.toolchain_version = made.compiler;
    execution::KernelBundle bundle = kernel.bundle;
    ESPER_TRY(const std::string id, library.add_kernel(std::move(kernel)));
    Experience known;
    if (made.status == Forged::Status::kValidated) {
        ESPER_TRY(known, experience_of(library, in_catalogue));
    }
    const auto report = report_of(made, known);
    ESPER_TRY(const std::string text, contracts::to_json(report));
    execution::Verdict verdict;
    verdict.report = sha256(text).hex();
    verdict.hardware = execution::hardware_here();
    verdict.shape = tried(order);
    verdict.passed = report.passed_validation;
    verdict.tags = report.generated_tags;
    verdict.at = report.report_timestamp;
    ESPER_TRY(const auto gauntlet, keys.signer(execution::KeyRole::kGauntlet));
    ESPER_CHECK_STATUS(execution::judge_bundle(bundle, verdict, gauntlet));
    ESPER_CHECK_STATUS(library.add_verdict(id, bundle.verdict, bundle.judged, text));
    return id;
}

Status may_store(const urza::Library& library, const execution::KeyFolder& keys) {
    ESPER_CHECK_STATUS(library.may_change());
    for (const auto role : {execution::KeyRole::kForge, execution::KeyRole::kGauntlet})
        ESPER_CHECK_STATUS(keys.signer(role));
    return {};
}

}  // namespace esper::supply
