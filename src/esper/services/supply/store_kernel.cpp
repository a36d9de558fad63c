#include "esper/services/supply/store_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/contracts/codec.h"
#include "esper/kernel_abi.h"
#include "esper/program/text/text_format.h"
#include "esper/services/urza/catalogue.h"

namespace esper::supply {

namespace {

using tezzeret::Forged;

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

Result<std::string> add_branch(urza::Library& library, const std::string& name,
                               const graph::Program& branch) {
    contracts::BlueprintSubmission submission;
    submission.name = name;
    submission.description = "a branch that esper forge compiled";
    submission.architecture = graph::to_text(branch);
    submission.submitted_by = "forge";
    ESPER_TRY(const auto catalogue, urza::catalogue_blueprints());
    for (const auto& reference : catalogue) {
        if (reference.name != name) continue;
        ESPER_TRY(const auto program, graph::parse_text(reference.architecture));
        const std::string parent = program->hash().hex();
        if (parent != branch.hash().hex()) submission.parents.push_back(parent);
    }
    return library.add_blueprint(submission);
}

contracts::UrabraskValidationReport report_of(const Forged& made) {
    contracts::UrabraskValidationReport report;
    report.passed_validation = made.status == Forged::Status::kValidated;
    if (!report.passed_validation) report.failure = made.why;
    report.benchmark_results = {{"cases", made.findings.cases},
                                {"relative_error", made.findings.error},
                                {"relative_error_allowed", made.findings.allowed}};
    if (!made.findings.speeds.empty()) {
        const auto& speed = made.findings.speeds.front();
        report.benchmark_results["latency_ms_median"] = 1e3 * speed.times.ours_seconds;
        report.baseline_comparison = {{"speed_percent", 100 * (speed.times.ratio - 1)},
                                      {"speed_percent_low", 100 * (speed.times.low - 1)},
                                      {"speed_percent_high", 100 * (speed.times.high - 1)}};
        report.generated_tags = {speed.chosen() ? "faster" : "not_faster"};
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
    manifest.precision = order.precision == graph::Precision::kBFloat16 ? "bf16" : "fp32";
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
    ESPER_CHECK_STATUS(add_branch(library, fmt::format("{}/{}", blueprint, kind), *order.branch));
    ESPER_TRY(const auto forge, keys.signer(execution::KeyRole::kForge));
    urza::NewKernel kernel;
    ESPER_TRY(kernel.bundle, execution::forge_bundle(manifest_of(order, made), made.object, forge));
    kernel.metadata.name = fmt::format("{}/{}", blueprint, kind);
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
    const auto report = report_of(made);
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
