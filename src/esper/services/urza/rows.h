#pragma once

#include <fmt/format.h>

#include "esper/services/urza/database.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

/// Rows as records. What a row says beside its signed texts must be what those say (kBadRow).

inline constexpr const char* kBlueprintColumns = "id, status, updated, record";
Result<contracts::Blueprint> blueprint_of(const Statement& row);

/// A kernel's columns, and those of its newest verdict; select from kernel_tables().
inline constexpr const char* kKernelColumns =
    "kernel.id, kernel.blueprint, kernel.precision, kernel.status, kernel.object, kernel.manifest, "
    "kernel.forge_key, kernel.forge_signature, kernel.record, verdict.statement, "
    "verdict.gauntlet_key, verdict.gauntlet_signature, verdict.report, kernel.collected";
/// Each verdict is found by its index, also where PostgreSQL would rather read all of them.
std::string kernel_tables(Dialect dialect);
Result<KernelRecord> kernel_of(const Statement& row);

/// Calls `visit(row)` for every row of `tables` in the order of `key`, which is the first column,
/// some hundreds at a time: a server sends, and a client keeps, no more than that at once.
template <typename Visit>
Status each_row(Database& database, const std::string& columns, const std::string& tables,
                const std::string& key, const Visit& visit) {
    constexpr std::int64_t kAtOnce = 256;
    std::string after;
    for (std::int64_t rows = kAtOnce; rows == kAtOnce;) {
        ESPER_TRY(auto select,
                  database.prepare(fmt::format("SELECT {} FROM {} WHERE {} > ? ORDER BY {} LIMIT ?",
                                               columns, tables, key, key)));
        select.bind(after).bind(kAtOnce);
        for (rows = 0;; ++rows) {
            ESPER_TRY(const bool more, select.step());
            if (!more) break;
            after = select.text(0);
            ESPER_CHECK_STATUS(visit(select));
        }
    }
    return {};
}

/// Its statements, without the object.
execution::KernelBundle bundle_of(const KernelRecord& record);

/// A signature as the 64 bytes of a column. Error: kBadRow.
Result<execution::Seal> seal_of(std::string key, std::string_view signature, std::string_view what);
std::string_view bytes_of(const execution::Signature& signature);

/// A figure of a report by its name, and its latency: the mean, or the median where that is all.
std::optional<double> figure_of(const contracts::Metrics& measured, const char* name);
std::optional<double> latency_of(const contracts::Metrics& measured);

/// The digest that the ledger keeps of a kernel, and of a verdict.
std::string digest_of(const KernelRecord& record);
std::string digest_of(std::string_view statement, std::string_view report);

}  // namespace esper::urza
