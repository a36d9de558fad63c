#include "esper/services/supply/known_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace esper::supply {

using contracts::KernelStatus;
using ports::KernelNeed;

namespace {

// A verdict about at most so many times the samples of a call holds for it, too.
constexpr std::int64_t kSameClass = 4;

execution::KernelBundle statements_of(const urza::KernelRecord& record) {
    return {record.manifest_text, record.forged, record.verdict_text, record.judged, ""};
}

bool has_tag(const urza::KernelRecord& record, std::string_view tag) {
    return record.verdict &&
           std::ranges::find(record.verdict->tags, tag) != record.verdict->tags.end();
}

void note(const urza::KernelRecord& record, const execution::KernelWant& want,
          const KernelNeed& need, const execution::KeyRing& ring, Known& known) {
    const auto& manifest = record.manifest;
    if (manifest.precision != need.precision || manifest.shape.sample != need.sample) return;
    const auto& id = manifest.artifact;
    if (!execution::fits_machine(manifest, execution::cpu_features_here())) {
        known.other = id + " is for another processor";
        return;
    }
    if (record.artifact.status == KernelStatus::kDeprecated ||
        record.artifact.status == KernelStatus::kRejected) {
        known.other = fmt::format("{} is {}", id, contracts::to_text(record.artifact.status));
        known.settled = true;
        return;
    }
    if (!record.verdict) return;
    if (record.verdict->hardware != execution::hardware_here() ||
        !record.verdict->shape.covers(*want.shape) ||
        record.verdict->shape.rows_max > kSameClass * need.samples) {
        known.other = fmt::format("{} was measured on {}, {}", id, record.verdict->hardware,
                                  to_string(record.verdict->shape));
        return;
    }
    if (const auto judged = execution::verify_statements(statements_of(record), ring, want);
        !judged) {
        known.refused.push_back(id + ": " + judged.error().to_string());
        return;
    }
    known.settled = true;
    if (has_tag(record, "faster")) {
        known.winners.push_back(record);
        return;
    }
    known.losers.push_back(record);
    known.loses =
        fmt::format("{} has {:.2f} times the operators' speed [{:.2f}, {:.2f}]", id,
                    gain_of(record, "speed_percent"), gain_of(record, "speed_percent_low"),
                    gain_of(record, "speed_percent_high"));
}

}  // namespace

execution::KernelWant want_of(const KernelNeed& need) {
    execution::KernelWant want;
    want.branch = need.branch;
    want.precision = need.precision;
    want.shape = execution::ShapeClass{need.sample, need.samples, need.samples};
    return want;
}

double gain_of(const urza::KernelRecord& record, const std::string& figure) {
    if (!record.artifact.validation_report) return 0;
    for (const auto& [name, value] : record.artifact.validation_report->baseline_comparison)
        if (name == figure) return 1 + value / 100;
    return 0;
}

void order_by_speed(std::vector<urza::KernelRecord>& kernels) {
    std::ranges::stable_sort(kernels, std::greater{},
                             [](const auto& r) { return gain_of(r, "speed_percent"); });
    // Of several the last one beat those before it.
    auto best = kernels.end();
    for (auto at = kernels.begin(); at != kernels.end(); ++at)
        if (at->manifest.pipeline == contracts::CompilationPipeline::kAggressive &&
            (best == kernels.end() || best->verdict->at < at->verdict->at))
            best = at;
    if (best != kernels.end() &&
        gain_of(*best, "speed_percent_high") >= gain_of(kernels.front(), "speed_percent_low"))
        std::rotate(kernels.begin(), best, best + 1);
}

bool is_speculative(const urza::KernelRecord& record) {
    const auto& report = record.artifact.validation_report;
    return report && report->conf_level == contracts::ConfidenceLevel::kSpeculative;
}

Known known_of(const KernelNeed& need, const std::vector<Result<urza::KernelRecord>>& kernels,
               const execution::KeyRing& ring) {
    Known known;
    const auto want = want_of(need);
    for (const auto& record : kernels) {
        if (record)
            note(*record, want, need, ring, known);
        else
            known.refused.push_back(record.error().to_string());
    }
    for (auto* all : {&known.winners, &known.losers}) order_by_speed(*all);
    known.settled = known.settled || !known.winners.empty();
    return known;
}

std::vector<ports::PastCandidates> past_of(urza::Library& library, const std::string& host) {
    std::vector<ports::PastCandidates> past;
    const auto measured = library.measured_candidates();
    if (!measured) return past;
    for (const auto& m : *measured) {
        if (m.host != host) continue;
        const auto blueprint = library.blueprint(m.blueprint);
        if (!blueprint) continue;
        const auto& name = blueprint->name;  // e.g. low_rank/tokens
        const auto slash = name.rfind('/');
        if (slash == std::string::npos) continue;
        past.push_back({name.substr(0, slash), name.substr(slash + 1), m.runs, m.runs_chosen});
    }
    return past;
}

}  // namespace esper::supply
