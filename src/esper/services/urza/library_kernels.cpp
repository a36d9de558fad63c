#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/rows.h"

// The library's kernels: storing them, their verdicts and their files.

namespace esper::urza {
namespace {

tl::unexpected<Error> unknown_kernel(std::string_view id) {
    return fail(
        UrzaError::kUnknownKernel,
        fmt::format("no kernel {} in the library; esper library ls --kernels shows them", id));
}

Result<KernelRecord> find_kernel(Database& database, std::string_view id) {
    ESPER_TRY(auto select,
              database.prepare(fmt::format("SELECT {} FROM {} WHERE kernel.id = ?", kKernelColumns,
                                           kernel_tables(database.dialect()))));
    select.bind(id);
    ESPER_TRY(const bool found, select.step());
    if (!found) return unknown_kernel(id);
    return kernel_of(select);
}

contracts::CompiledKernelArtifact artifact_of(NewKernel& kernel,
                                              const execution::KernelManifest& manifest,
                                              contracts::Timestamp when) {
    const std::string& digest = manifest.files.at(std::string(execution::kKernelObject));
    contracts::CompiledKernelArtifact artifact;
    artifact.kernel_artifact_id = manifest.artifact;
    artifact.blueprint_id = manifest.branch;
    artifact.compilation_pipeline = manifest.pipeline;
    artifact.kernel_binary_ref = "urza://objects/" + digest;
    artifact.metadata = std::move(kernel.metadata);
    artifact.metadata.checksum = digest;
    artifact.compilation_metadata = std::move(kernel.compilation);
    artifact.signature = execution::to_hex(kernel.bundle.forged.signature);
    artifact.created_at = when;
    return artifact;
}

Status insert_kernel(Database& database, const KernelRecord& record, const std::string& json) {
    ESPER_TRY(auto insert,
              database.prepare("INSERT INTO kernel (id, blueprint, precision, status, object, "
                               "manifest, forge_key, forge_signature, record) "
                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.bind(record.manifest.artifact).bind(record.manifest.branch);
    insert.bind(record.manifest.precision).bind(contracts::to_text(record.artifact.status));
    insert.bind(*record.artifact.metadata.checksum).bind_blob(record.manifest_text);
    insert.bind(record.forged.key).bind_blob(bytes_of(record.forged.signature)).bind(json);
    return insert.run();
}

Status insert_verdict(Database& database, const KernelRecord& record) {
    ESPER_TRY(auto insert, database.prepare("INSERT INTO verdict (kernel, statement, gauntlet_key, "
                                            "gauntlet_signature, report) VALUES (?, ?, ?, ?, ?)"));
    insert.bind(record.manifest.artifact).bind_blob(record.verdict_text).bind(record.judged.key);
    insert.bind_blob(bytes_of(record.judged.signature)).bind_blob(record.report_text);
    ESPER_CHECK_STATUS(insert.run());
    const auto& measured = record.artifact.validation_report->benchmark_results;
    ESPER_TRY(auto update, database.prepare("UPDATE kernel SET status = ?, latency = ?, memory = ? "
                                            "WHERE id = ?"));
    update.bind(contracts::to_text(record.artifact.status));
    update.bind(latency_of(measured)).bind(figure_of(measured, "memory_mb_peak"));
    ESPER_CHECK_STATUS(update.bind(record.manifest.artifact).run());
    ESPER_TRY(auto forget, database.prepare("DELETE FROM tag WHERE kernel = ?"));
    ESPER_CHECK_STATUS(forget.bind(record.manifest.artifact).run());
    for (const auto& tag : record.verdict->tags) {
        ESPER_TRY(auto add, database.prepare("INSERT INTO tag (tag, kernel) VALUES (?, ?) ON "
                                             "CONFLICT DO NOTHING"));
        ESPER_CHECK_STATUS(add.bind(tag).bind(record.manifest.artifact).run());
    }
    return {};
}

}  // namespace

Result<std::string> DatabaseLibrary::add_kernel(NewKernel kernel) {
    KernelRecord record;
    ESPER_TRY(record.manifest, execution::verify_forged(kernel.bundle, ring_));
    const std::string id = record.manifest.artifact;
    if (const auto present = this->kernel(id)) {
        if (present->manifest_text == kernel.bundle.manifest) {
            ESPER_CHECK_STATUS(renew(*present, kernel));
            return id;
        }
        return fail(UrzaError::kConflict,
                    fmt::format("kernel {} is in the library with another manifest; an id must "
                                "name one content",
                                id));
    }
    ESPER_CHECK_STATUS(blueprint(record.manifest.branch));
    const contracts::Timestamp when = contracts::now(clock_);
    record.artifact = artifact_of(kernel, record.manifest, when);
    record.manifest_text = kernel.bundle.manifest;
    record.forged = kernel.bundle.forged;
    ESPER_TRY(const std::string json, contracts::to_json(record.artifact));
    if (!writer_) return fail(write({}).error());
    ESPER_CHECK_STATUS(objects_->put(kernel.bundle.object));
    const Status stored = write([&](Database& database) -> Status {
        if (const auto raced = find_kernel(database, id)) {
            if (raced->manifest_text == record.manifest_text) return {};
            return fail(UrzaError::kConflict,
                        fmt::format("another process just added kernel {}", id));
        }
        ESPER_CHECK_STATUS(insert_kernel(database, record, json));
        return append_entry(database, when.utc_ns,
                            {"forge " + record.forged.key, "add kernel", id, digest_of(record)});
    });
    ESPER_CHECK_STATUS(stored);
    return id;
}

// A seal by a key that was revoked since is replaced, and an object that was given up is back.
Status DatabaseLibrary::renew(KernelRecord present, const NewKernel& kernel) {
    const bool is_sealed = ring_
                               .check(execution::KeyRole::kForge, execution::kManifestType,
                                      present.manifest_text, present.forged)
                               .has_value();
    if (is_sealed && !present.is_collected) return {};
    ESPER_CHECK_STATUS(may_change());
    ESPER_CHECK_STATUS(objects_->put(kernel.bundle.object));
    if (!is_sealed) present.forged = kernel.bundle.forged;
    const std::string id = present.manifest.artifact;
    return write([&](Database& database) -> Status {
        ESPER_TRY(auto update,
                  database.prepare("UPDATE kernel SET forge_key = ?, forge_signature = ?, "
                                   "collected = 0 WHERE id = ?"));
        ESPER_CHECK_STATUS(update.bind(present.forged.key)
                               .bind_blob(bytes_of(present.forged.signature))
                               .bind(id)
                               .run());
        return append_entry(database, clock_.utc_ns(),
                            {"forge " + present.forged.key, "add kernel", id, digest_of(present)});
    });
}

Status DatabaseLibrary::add_verdict(std::string_view kernel, std::string verdict,
                                    execution::Seal seal, std::string report) {
    ESPER_CHECK_STATUS(
        ring_.check(execution::KeyRole::kGauntlet, execution::kVerdictType, verdict, seal));
    ESPER_TRY(const auto said, execution::Verdict::parse(verdict));
    ESPER_TRY(const auto measured,
              contracts::from_json<contracts::UrabraskValidationReport>(report));
    if (said.report != sha256(report).hex() || said.passed != measured.passed_validation)
        return fail(UrzaError::kConflict,
                    fmt::format("kernel {}: the verdict is not about this report", kernel));
    const contracts::Timestamp when = contracts::now(clock_);
    return write([&](Database& database) -> Status {
        ESPER_TRY(KernelRecord record, find_kernel(database, kernel));
        if (said.artifact != kernel || said.manifest != sha256(record.manifest_text).hex())
            return fail(UrzaError::kConflict,
                        fmt::format("the verdict is about kernel {} (manifest {}), not about {}",
                                    said.artifact, said.manifest, kernel));
        // The first verdict moves the kernel; a later one, about another shape or machine, leaves
        // it or takes it out of use.
        record.artifact.validation_report.reset();
        if (record.artifact.status == contracts::KernelStatus::kPendingBenchmarking) {
            ESPER_CHECK_STATUS(contracts::advance(record.artifact,
                                                  said.passed ? contracts::KernelStatus::kValidated
                                                              : contracts::KernelStatus::kRejected,
                                                  contracts::ComponentType::kUrabrask, &measured));
        } else if (!said.passed) {
            record.artifact.status = contracts::KernelStatus::kRejected;
        }
        record.artifact.validation_report = measured;
        record.verdict = said;
        record.verdict_text = verdict;
        record.judged = seal;
        record.report_text = report;
        ESPER_CHECK_STATUS(insert_verdict(database, record));
        return append_entry(
            database, when.utc_ns,
            {"gauntlet " + seal.key, said.passed ? "validate kernel" : "reject kernel",
             std::string(kernel), digest_of(verdict, report)});
    });
}

Result<KernelRecord> DatabaseLibrary::kernel(std::string_view id) {
    ESPER_TRY(const auto database, reader());
    return find_kernel(*database, id);
}

Result<std::vector<KernelRecord>> DatabaseLibrary::select_kernels(
    const std::string& where, const std::function<void(Statement&)>& bind) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto select,
              database->prepare(fmt::format("SELECT {} FROM {} WHERE {}", kKernelColumns,
                                            kernel_tables(database->dialect()), where)));
    bind(select);
    std::vector<KernelRecord> found;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return found;
        ESPER_TRY(auto record, kernel_of(select));
        found.push_back(std::move(record));
    }
}

Result<std::vector<KernelRecord>> DatabaseLibrary::kernels(const PageOf& page) {
    return select_kernels("kernel.id > ? ORDER BY kernel.id LIMIT ?", [&](Statement& select) {
        select.bind(page.after).bind(static_cast<std::int64_t>(page.limit));
    });
}

Result<std::string> DatabaseLibrary::fetch(std::string_view id) {
    ESPER_TRY(const KernelRecord record, kernel(id));
    execution::KernelBundle bundle = bundle_of(record);
    ESPER_TRY(bundle.object, objects_->get(*record.artifact.metadata.checksum));
    return execution::serialise_bundle(bundle);
}

Status DatabaseLibrary::deprecate(std::string_view id, const contracts::Actor& actor,
                                  std::string_view reason) {
    return write([&](Database& database) -> Status {
        ESPER_TRY(KernelRecord record, find_kernel(database, id));
        ESPER_CHECK_STATUS(contracts::check_transition(
            record.artifact.status, contracts::KernelStatus::kDeprecated, actor));
        ESPER_TRY(auto update,
                  database.prepare("UPDATE kernel SET status = 'DEPRECATED' WHERE id = ?"));
        ESPER_CHECK_STATUS(update.bind(id).run());
        return append_entry(database, clock_.utc_ns(),
                            {std::string(contracts::actor_name(actor)),
                             fmt::format("deprecate kernel: {}", reason), std::string(id), ""});
    });
}

}  // namespace esper::urza
