#include "esper/services/urza/wire.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "esper/base/base64.h"
#include "esper/base/hash.h"
#include "esper/contracts/codec.h"

namespace esper::urza {
namespace {

Result<std::string> bytes_of(const std::string& base64) {
    std::string bytes(base64.size() / 4 * 3, '\0');
    const int size = base64.size() % 4 != 0
                         ? -1
                         : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                           reinterpret_cast<const unsigned char*>(base64.data()),
                                           static_cast<int>(base64.size()));
    if (size < 0) return fail(UrzaError::kBadRequest, "the object is not base64");
    const std::size_t padding = base64.ends_with("==") ? 2 : base64.ends_with("=") ? 1 : 0;
    if (base64.find('=') < base64.size() - padding)
        return fail(UrzaError::kBadRequest, "the object is not base64");
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

tl::unexpected<Error> contradicts(const std::string& id, std::string_view what) {
    return fail(UrzaError::kBadAnswer,
                fmt::format("kernel {}: {}; it is not used", id.substr(0, 255), what));
}

}  // namespace

Result<execution::Seal> seal_of(const std::string& key, const std::string& signature_hex) {
    execution::Seal seal{key, {}};
    ESPER_CHECK_STATUS(execution::from_hex(signature_hex, seal.signature));
    return seal;
}

Result<KernelStatements> statements_of(const KernelRecord& record) {
    KernelStatements sent;
    sent.artifact = record.artifact;
    sent.artifact.status = contracts::KernelStatus::kPendingBenchmarking;
    sent.artifact.validation_report.reset();
    sent.status = record.artifact.status;
    sent.collected = record.is_collected;
    sent.manifest = record.manifest_text;
    sent.forge_key = record.forged.key;
    sent.forge_signature = execution::to_hex(record.forged.signature);
    if (!record.verdict_text.empty()) {
        sent.verdict = record.verdict_text;
        sent.gauntlet_key = record.judged.key;
        sent.gauntlet_signature = execution::to_hex(record.judged.signature);
        sent.report = record.report_text;
    }
    ESPER_CHECK_STATUS(contracts::check(sent));
    return sent;
}

Result<KernelRecord> record_of(const KernelStatements& sent) {
    KernelRecord record;
    record.artifact = sent.artifact;
    record.artifact.status = sent.status;
    record.is_collected = sent.collected;
    const std::string& id = record.artifact.kernel_artifact_id;
    record.manifest_text = sent.manifest;
    const auto manifest = execution::KernelManifest::parse(sent.manifest);
    if (!manifest) return contradicts(id, manifest.error().message());
    record.manifest = *manifest;
    const auto object = manifest->files.find(std::string(execution::kKernelObject));
    if (manifest->artifact != id || manifest->branch != sent.artifact.blueprint_id ||
        object == manifest->files.end() || sent.artifact.metadata.checksum != object->second)
        return contradicts(id, "its manifest is another kernel's");
    ESPER_TRY(record.forged, seal_of(sent.forge_key, sent.forge_signature));
    if (sent.verdict.empty()) return record;
    const auto verdict = execution::Verdict::parse(sent.verdict);
    if (!verdict) return contradicts(id, verdict.error().message());
    record.verdict = *verdict;
    record.verdict_text = sent.verdict;
    const auto judged = seal_of(sent.gauntlet_key, sent.gauntlet_signature);
    if (!judged) return contradicts(id, "its verdict has no seal");
    record.judged = *judged;
    record.report_text = sent.report;
    if (sha256(sent.report).hex() != verdict->report)
        return contradicts(id, "its report is not the one that was signed");
    const auto report = contracts::from_json<contracts::UrabraskValidationReport>(sent.report);
    if (!report) return contradicts(id, report.error().message());
    record.artifact.validation_report = *report;
    return record;
}

Result<KernelHandIn> hand_in_of(const NewKernel& kernel) {
    if (kernel.bundle.object.size() > kMostObject)
        return fail(UrzaError::kTooLarge,
                    fmt::format("the kernel's object has {} bytes; a library takes at most {} over "
                                "HTTP",
                                kernel.bundle.object.size(), kMostObject));
    KernelHandIn sent;
    sent.manifest = kernel.bundle.manifest;
    sent.forge_key = kernel.bundle.forged.key;
    sent.forge_signature = execution::to_hex(kernel.bundle.forged.signature);
    sent.metadata = kernel.metadata;
    sent.compilation = kernel.compilation;
    sent.object = base64_of(kernel.bundle.object);
    return sent;
}

Result<NewKernel> kernel_of(const KernelHandIn& sent) {
    NewKernel kernel;
    kernel.bundle.manifest = sent.manifest;
    ESPER_TRY(kernel.bundle.forged, seal_of(sent.forge_key, sent.forge_signature));
    ESPER_TRY(kernel.bundle.object, bytes_of(sent.object));
    kernel.metadata = sent.metadata;
    kernel.compilation = sent.compilation;
    return kernel;
}

KernelWanted wanted_of(const KernelAsk& ask) {
    KernelWanted wanted;
    wanted.branch = ask.branch;
    wanted.precision = ask.precision;
    wanted.sample = ask.shape.sample;
    wanted.rows_min = ask.shape.rows_min;
    wanted.rows_max = ask.shape.rows_max;
    wanted.cpu_features = ask.cpu_features;
    return wanted;
}

KernelAsk ask_of(const KernelWanted& wanted) {
    return {wanted.branch,
            wanted.precision,
            {wanted.sample, wanted.rows_min, wanted.rows_max},
            wanted.cpu_features};
}

RunReport sent_of(const FiledReport& filed) {
    RunReport sent;
    sent.run = filed.run;
    sent.seed = filed.seed;
    sent.host = filed.host;
    sent.report = filed.report;
    return sent;
}

FiledReport filed_of(const RunReport& sent) {
    return {sent.report, sent.run, sent.seed, sent.host};
}

Candidates sent_of(const MeasuredCandidates& candidates) {
    Candidates sent;
    sent.blueprint = candidates.blueprint;
    sent.host = candidates.host;
    sent.measured = candidates.measured;
    sent.chosen = candidates.chosen;
    sent.runs = candidates.runs;
    sent.runs_chosen = candidates.runs_chosen;
    return sent;
}

MeasuredCandidates candidates_of(const Candidates& sent) {
    return {sent.blueprint, sent.host, sent.measured, sent.chosen, sent.runs, sent.runs_chosen};
}

RunHandIn hand_in_of(const FieldRun& run) {
    RunHandIn sent;
    sent.run = run.id;
    sent.host = run.host;
    for (const auto& filed : run.reports) sent.reports.push_back(sent_of(filed));
    for (const auto& candidates : run.candidates) sent.candidates.push_back(sent_of(candidates));
    return sent;
}

FieldRun run_of(const RunHandIn& sent) {
    FieldRun run{sent.run, sent.host, {}, {}};
    for (const auto& report : sent.reports)
        run.reports.push_back({report.report, sent.run, report.seed, sent.host});
    for (const auto& candidates : sent.candidates)
        run.candidates.push_back(candidates_of(candidates));
    return run;
}

}  // namespace esper::urza
