#include <fmt/format.h>

#include <algorithm>

#include "esper/contracts/codec.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/reasons.h"
#include "esper/services/urza/rows.h"

// Which kernels may be used, and why not the others.

namespace esper::urza {
namespace {

using contracts::KernelStatus;

/// The tags and limits of a query as a condition.
std::string condition_of(const contracts::KernelQuery& query) {
    std::string where = "kernel.status = 'VALIDATED' AND kernel.collected = 0";
    if (query.blueprint_id) where += " AND kernel.blueprint = ?";
    if (query.max_latency_ms) where += " AND kernel.latency <= ?";
    if (query.max_memory_mb) where += " AND kernel.memory <= ?";
    for (std::size_t i = 0; i < query.required_tags.size(); ++i)
        where += " AND kernel.id IN (SELECT kernel FROM tag WHERE tag = ?)";
    for (std::size_t i = 0; i < query.excluded_tags.size(); ++i)
        where += " AND NOT EXISTS (SELECT 1 FROM tag WHERE tag = ? AND tag.kernel = kernel.id)";
    return where + " ORDER BY kernel.latency NULLS LAST, kernel.id LIMIT ?";
}

contracts::KernelMatch match_of(const KernelRecord& record, const contracts::Words& preferred) {
    contracts::KernelMatch match;
    match.blueprint_id = record.artifact.blueprint_id;
    match.kernel_artifact_id = record.artifact.kernel_artifact_id;
    match.status = record.artifact.status;
    match.tags = record.verdict->tags;
    const auto& report = *record.artifact.validation_report;
    match.latency_ms = latency_of(report.benchmark_results);
    match.memory_mb = figure_of(report.benchmark_results, "memory_mb_peak");
    match.risk_score = report.risk_score;
    // A preferred tag outweighs any latency; among equals the faster kernel is ahead.
    for (const auto& tag : preferred)
        if (std::ranges::find(match.tags, tag) != match.tags.end()) match.score += 1;
    match.score += 1 / (1 + match.latency_ms.value_or(1e9));
    return match;
}

}  // namespace

Result<std::vector<KernelRecord>> DatabaseLibrary::offers(const KernelAsk& ask) {
    ESPER_TRY(
        auto records,
        select_kernels("kernel.blueprint = ? AND kernel.precision = ? AND kernel.collected = 0",
                       [&](Statement& select) { select.bind(ask.branch).bind(ask.precision); }));
    const auto want = want_of(ask);
    std::erase_if(records, [&](const KernelRecord& record) {
        return record.artifact.status != KernelStatus::kValidated ||
               !execution::verify_statements(bundle_of(record), ring_, want);
    });
    std::ranges::stable_sort(records, {}, order_of);
    return records;
}

Result<contracts::KernelQueryResult> DatabaseLibrary::query(const contracts::KernelQuery& query) {
    ESPER_CHECK_STATUS(contracts::check(query));
    // Read more than asked for: some rows may not survive the verification.
    constexpr std::int64_t kMost = 4096;
    ESPER_TRY(auto records, select_kernels(condition_of(query), [&](Statement& select) {
                  if (query.blueprint_id) select.bind(*query.blueprint_id);
                  if (query.max_latency_ms) select.bind(query.max_latency_ms);
                  if (query.max_memory_mb) select.bind(query.max_memory_mb);
                  for (const auto& tag : query.required_tags) select.bind(tag);
                  for (const auto& tag : query.excluded_tags) select.bind(tag);
                  select.bind(kMost);
              }));
    execution::KernelWant want;
    contracts::KernelQueryResult result;
    for (const auto& record : records) {
        want.cpu_features = record.manifest.cpu_features;  // the asker's machine is not this one
        if (!execution::verify_statements(bundle_of(record), ring_, want)) continue;
        if (query.input_shape && !record.artifact.metadata.accepts(*query.input_shape)) continue;
        if (query.target_gpu_arch && record.manifest.isa != *query.target_gpu_arch) continue;
        result.matching_kernels.push_back(match_of(record, query.preferred_tags));
    }
    result.total_matches = result.matching_kernels.size();
    std::ranges::stable_sort(result.matching_kernels, std::greater{},
                             &contracts::KernelMatch::score);
    if (result.matching_kernels.size() > query.limit)
        result.matching_kernels.erase(result.matching_kernels.begin() + query.limit,
                                      result.matching_kernels.end());
    return result;
}

Result<std::vector<Reason>> DatabaseLibrary::why(std::string_view id,
                                                 const std::optional<KernelAsk>& ask) {
    ESPER_TRY(const KernelRecord record, kernel(id));
    const auto object = objects_->get(*record.artifact.metadata.checksum);
    return reasons_of(record, object ? Status() : Status(tl::unexpected(object.error())), ring_,
                      ask, [this](const KernelAsk& asked) { return offers(asked); });
}

}  // namespace esper::urza
