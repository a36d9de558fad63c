#include "esper/services/urza/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"

namespace esper::urza {
namespace {

tl::unexpected<Error> changed(std::string_view table, std::string_view id, std::string_view what) {
    return fail(UrzaError::kBadRow,
                fmt::format("{} {}: {}; somebody changed the row. Take the database from a copy",
                            table, id, what));
}

template <typename T>
Result<T> record_of(std::string_view table, const std::string& id, const std::string& text) {
    auto record = contracts::from_json<T>(text);
    if (!record) return changed(table, id, record.error().message());
    return record;
}

}  // namespace

Result<contracts::Blueprint> blueprint_of(const Statement& row) {
    const std::string id = row.text(0);
    ESPER_TRY(auto blueprint, record_of<contracts::Blueprint>("blueprint", id, row.text(3)));
    const auto status = contracts::from_text<contracts::BlueprintStatus>(row.text(1));
    const auto updated = contracts::parse_timestamp(row.text(2));
    if (blueprint.blueprint_id != id || !status || !updated)
        return changed("blueprint", id, "its columns are not those of its record");
    blueprint.status = *status;
    blueprint.updated_at = *updated;
    if (const Status valid = contracts::validate(blueprint); !valid)
        return changed("blueprint", id, valid.error().message());
    return blueprint;
}

std::string kernel_tables(Dialect dialect) {
    if (dialect == Dialect::kPostgres)
        return "kernel LEFT JOIN LATERAL (SELECT * FROM verdict AS newer WHERE newer.kernel = "
               "kernel.id ORDER BY newer.number DESC LIMIT 1) AS verdict ON true";
    return "kernel LEFT JOIN verdict ON verdict.number = (SELECT max(number) FROM verdict AS newer "
           "WHERE newer.kernel = kernel.id)";
}

Result<KernelRecord> kernel_of(const Statement& row) {
    const std::string id = row.text(0);
    KernelRecord record;
    ESPER_TRY(record.artifact,
              record_of<contracts::CompiledKernelArtifact>("kernel", id, row.text(8)));
    record.manifest_text = row.text(5);
    ESPER_TRY(record.forged, seal_of(row.text(6), row.text(7), id));
    ESPER_TRY(record.manifest, execution::KernelManifest::parse(record.manifest_text));
    const auto status = contracts::from_text<contracts::KernelStatus>(row.text(3));
    const auto object = record.manifest.files.find(std::string(execution::kKernelObject));
    if (record.artifact.kernel_artifact_id != id || record.manifest.artifact != id ||
        record.manifest.branch != row.text(1) || record.manifest.precision != row.text(2) ||
        object == record.manifest.files.end() || object->second != row.text(4) ||
        record.artifact.metadata.checksum != object->second || !status)
        return changed("kernel", id, "its columns are not those of its manifest");
    record.verdict_text = row.text(9);
    record.artifact.status = *status;
    record.is_collected = row.integer(13) != 0;
    if (record.verdict_text.empty()) return record;
    ESPER_TRY(record.judged, seal_of(row.text(10), row.text(11), id));
    ESPER_TRY(record.verdict, execution::Verdict::parse(record.verdict_text));
    record.report_text = row.text(12);
    if (sha256(record.report_text).hex() != record.verdict->report)
        return changed("verdict of", id, "its report is not the one that was signed");
    ESPER_TRY(record.artifact.validation_report,
              record_of<contracts::UrabraskValidationReport>("report of", id, record.report_text));
    return record;
}

execution::KernelBundle bundle_of(const KernelRecord& record) {
    return {record.manifest_text, record.forged, record.verdict_text, record.judged, ""};
}

Result<execution::Seal> seal_of(std::string key, std::string_view signature,
                                std::string_view what) {
    execution::Seal seal{std::move(key), {}};
    if (signature.size() != seal.signature.size())
        return changed("signature of", what, fmt::format("{} bytes", signature.size()));
    std::copy(signature.begin(), signature.end(), seal.signature.begin());
    return seal;
}

std::string_view bytes_of(const execution::Signature& signature) {
    return {reinterpret_cast<const char*>(signature.data()), signature.size()};
}

std::optional<double> figure_of(const contracts::Metrics& measured, const char* name) {
    const auto found = measured.find(name);
    return found == measured.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> latency_of(const contracts::Metrics& measured) {
    const auto mean = figure_of(measured, "latency_ms_mean");
    return mean ? mean : figure_of(measured, "latency_ms_median");
}

std::string digest_of(const KernelRecord& record) {
    contracts::CompiledKernelArtifact added = record.artifact;
    added.status = contracts::KernelStatus::kPendingBenchmarking;
    added.validation_report.reset();
    Sha256Hasher hasher;
    hasher.update_field(record.manifest_text).update_field(bytes_of(record.forged.signature));
    hasher.update_field(contracts::to_json(added).value_or(""));
    return hasher.finish().hex();
}

std::string digest_of(std::string_view statement, std::string_view report) {
    Sha256Hasher hasher;
    hasher.update_field(statement).update_field(report);
    return hasher.finish().hex();
}

}  // namespace esper::urza
