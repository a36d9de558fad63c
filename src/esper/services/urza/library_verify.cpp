#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/kernel_abi.h"
#include "esper/program/operators.h"
#include "esper/program/program_hash.h"
#include "esper/program/text/text_format.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/rows.h"

// Checking the whole library, and dropping what nobody needs.

namespace esper::urza {
namespace {

Status check_program(const contracts::Blueprint& blueprint) {
    ESPER_TRY(const auto program, graph::from_text(blueprint.architecture));
    ESPER_CHECK_STATUS(graph::validate_blueprint_operators(*program));
    if (program->hash().hex() == blueprint.blueprint_id) return {};
    return fail(UrzaError::kBadRow, fmt::format("blueprint {}: its Program has the hash {}",
                                                blueprint.blueprint_id, program->hash().hex()));
}

Status check_in_ledger(const std::vector<std::string>& digests, const std::string& digest,
                       std::string_view what) {
    if (std::ranges::find(digests, digest) != digests.end()) return {};
    return fail(UrzaError::kBadRow,
                fmt::format("{}: the ledger has it with other content, or not at all; somebody "
                            "changed the row. Take the database from a copy",
                            what));
}

/// Adds what is wrong. What could not be looked at is neither sound nor wrong: it is returned.
Status note(std::vector<Error>& wrong, Status checked) {
    if (checked) return {};
    if (checked.error().is(UrzaError::kUnreachable) || checked.error().is(UrzaError::kReadOnly))
        return checked;
    wrong.push_back(checked.error());
    return {};
}

}  // namespace

Result<std::vector<std::string>> DatabaseLibrary::ledger_digests(Database& database,
                                                                 std::string_view action,
                                                                 std::string_view subject) {
    ESPER_TRY(auto select,
              database.prepare("SELECT digest FROM ledger WHERE subject = ? AND action = ?"));
    select.bind(subject).bind(action);
    std::vector<std::string> digests;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return digests;
        digests.push_back(select.text(0));
    }
}

Status DatabaseLibrary::verify_blueprints(std::vector<Error>& wrong) {
    ESPER_TRY(const auto database, reader());
    return each_row(*database, kBlueprintColumns, "blueprint", "id", [&](Statement& select) {
        const auto check = [&]() -> Status {
            ESPER_TRY(const auto blueprint, blueprint_of(select));
            ESPER_CHECK_STATUS(check_program(blueprint));
            ESPER_TRY(const auto digests,
                      ledger_digests(*database, "add blueprint", blueprint.blueprint_id));
            return check_in_ledger(digests, sha256(select.text(3)).hex(),
                                   "blueprint " + blueprint.blueprint_id);
        };
        return note(wrong, check());
    });
}

Status DatabaseLibrary::verify_kernels(std::vector<Error>& wrong) {
    ESPER_TRY(const auto database, reader());
    return each_row(
        *database, kKernelColumns, kernel_tables(database->dialect()), "kernel.id",
        [&](Statement& select) {
            const auto check = [&]() -> Status {
                ESPER_TRY(const auto record, kernel_of(select));
                const std::string& id = record.artifact.kernel_artifact_id;
                execution::KernelBundle bundle = bundle_of(record);
                ESPER_CHECK_STATUS(ring_.check(execution::KeyRole::kForge, execution::kManifestType,
                                               bundle.manifest, bundle.forged));
                // The file of one that was given up may be gone; while it is there, it is whole.
                const auto object = objects_->get(*record.artifact.metadata.checksum);
                const bool may_be_gone = record.is_collected;
                if (!object && !(may_be_gone && object.error().is(UrzaError::kNoObject)))
                    return fail(object.error());
                ESPER_TRY(const auto added, ledger_digests(*database, "add kernel", id));
                ESPER_CHECK_STATUS(check_in_ledger(added, digest_of(record), "kernel " + id));
                const bool older = record.manifest.abi < ESPER_BRANCH_KERNEL_ABI;
                if (record.artifact.status == contracts::KernelStatus::kValidated && !older) {
                    execution::KernelWant any;
                    any.cpu_features = record.manifest.cpu_features;
                    ESPER_CHECK_STATUS(execution::verify_statements(bundle, ring_, any));
                }
                if (!bundle.verdict.empty()) {
                    ESPER_CHECK_STATUS(ring_.check(execution::KeyRole::kGauntlet,
                                                   execution::kVerdictType, bundle.verdict,
                                                   bundle.judged));
                    ESPER_TRY(
                        const auto judged,
                        ledger_digests(*database,
                                       record.verdict->passed ? "validate kernel" : "reject kernel",
                                       id));
                    ESPER_CHECK_STATUS(
                        check_in_ledger(judged, digest_of(record.verdict_text, record.report_text),
                                        "verdict of " + id));
                }
                if (!older || record.is_collected) return {};
                return fail(
                    execution::KernelError::kAbiMismatch,
                    fmt::format("kernel {}: made for an older kernel interface ({}, this is "
                                "{}); esper library gc removes it",
                                id, record.manifest.abi, ESPER_BRANCH_KERNEL_ABI));
            };
            return note(wrong, check());
        });
}

Result<std::vector<Error>> DatabaseLibrary::verify(const std::optional<LedgerHead>& remembered) {
    std::vector<Error> wrong;
    {
        ESPER_TRY(const auto database, reader());
        ESPER_CHECK_STATUS(note(wrong, database->check_integrity()));
        ESPER_CHECK_STATUS(note(wrong, verify_ledger(*database, ring_, remembered)));
    }
    ESPER_CHECK_STATUS(verify_blueprints(wrong));
    ESPER_CHECK_STATUS(verify_kernels(wrong));
    ESPER_CHECK_STATUS(verify_runs(wrong));
    return wrong;
}

Result<Collected> DatabaseLibrary::collect(const Retention& retention) {
    Collected collected;
    const Status stored = write([&](Database& database) -> Status {
        // What is out of use or of an older interface, and what is too much of one blueprint,
        // slowest first.
        std::vector<std::string> ids;
        {
            ESPER_TRY(auto select,
                      database.prepare(
                          "SELECT id FROM (SELECT id, status, row_number() OVER (PARTITION BY "
                          "blueprint ORDER BY CASE status WHEN 'VALIDATED' THEN 0 ELSE 1 END, "
                          "latency NULLS LAST, id) AS place FROM kernel WHERE collected = 0) AS "
                          "placed WHERE status IN ('REJECTED', 'DEPRECATED') OR place > ? ORDER BY "
                          "id"));
            select.bind(static_cast<std::int64_t>(retention.kernels_per_blueprint));
            for (;;) {
                ESPER_TRY(const bool more, select.step());
                if (!more) break;
                ids.push_back(select.text(0));
            }
        }
        ESPER_CHECK_STATUS(each_row(
            database, "id, manifest, collected", "kernel", "id", [&](const Statement& row) {
                if (row.integer(2) != 0) return Status{};
                const auto manifest = execution::KernelManifest::parse(row.text(1));
                if (manifest && manifest->abi < ESPER_BRANCH_KERNEL_ABI) ids.push_back(row.text(0));
                return Status{};
            }));
        const std::set<std::string> given_up(ids.begin(), ids.end());
        for (const auto& id : given_up) {
            ESPER_TRY(auto update,
                      database.prepare("UPDATE kernel SET collected = 1 WHERE id = ?"));
            ESPER_CHECK_STATUS(update.bind(id).run());
            ESPER_CHECK_STATUS(
                append_entry(database, clock_.utc_ns(), {"urza", "collect object", id, ""}));
        }
        collected.kernels = given_up.size();
        return {};
    });
    ESPER_CHECK_STATUS(stored);
    std::set<std::string> kept;
    {
        ESPER_TRY(const auto database, reader());
        ESPER_CHECK_STATUS(
            each_row(*database, "id, object, collected", "kernel", "id", [&](const Statement& row) {
                if (row.integer(2) == 0) kept.insert(row.text(1));
                return Status{};
            }));
    }
    ESPER_TRY(const auto removed, objects_->remove_unless([&](const std::string& digest) {
        return kept.contains(digest);
    }));
    collected.files = removed.files;
    collected.bytes = removed.bytes;
    collected.young = removed.young;
    return collected;
}

}  // namespace esper::urza
