#include "esper/services/nissa/run_figures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_lock.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

constexpr auto kFigures = std::to_array<RunFigure>({
    {"esper_run_killed", "1 where the process that trained the run ended without a word."},
    {"esper_run_failed", "1 where the run ended with an error."},
    {"esper_run_damaged", "1 where run.json cannot be read."},
    {"esper_run_unread", "1 where another file of the run is there and cannot be read."},
    {"esper_run_silent_seconds", "Time since a running run wrote anything; 0 for others."},
    {"esper_run_loss_not_finite", "1 where the newest training loss is no finite number."},
    {"esper_run_rollbacks", "Rollbacks of the run so far."},
    {"esper_run_rollback_rate", "Rollbacks in 1,000 steps; below 1,000 steps their number."},
    {"esper_run_kernels_rejected", "Kernels that the run refused, or that failed in it."},
    {"esper_run_memory_growth",
     "Resident memory of the last hour: least of its last quarter against the most of its first."},
    {"esper_run_lag_seconds",
     "Of the last minute, the longest time from a write of the run to its reading here."},
    {"esper_run_resident_bytes", "Resident memory of the run's process."},
    {"esper_run_epoch", "Epochs completed."},
    {"esper_run_step", "Steps made."},
    {"esper_run_train_loss", "Training loss of the newest epoch."},
    {"esper_run_val_loss", "Validation loss of the newest epoch."},
    {"esper_run_examples_per_second", "Examples trained in a second, of the newest epoch."},
    {"esper_run_parameters", "Parameters of the network."},
    {"esper_run_flops", "FLOPs spent, everything counted."},
    {"esper_run_seeds_kept", "Seeds that became part of the network."},
    {"esper_run_seeds_culled", "Seeds that were culled."},
});

constexpr auto kRules = std::to_array<AlertRule>({
    {"killed", "esper_run_killed", 0, "page",
     "the process that trained it has ended without a word"},
    {"failed", "esper_run_failed", 0, "page", "ended with an error"},
    {"stalled", "esper_run_silent_seconds", 600, "page", "has written nothing for ten minutes"},
    {"not finite", "esper_run_loss_not_finite", 0, "page", "the training loss is no finite number"},
    {"damaged", "esper_run_damaged", 0, "warning", "its run.json cannot be read"},
    {"unread", "esper_run_unread", 0, "warning", "a file of it is there and cannot be read"},
    {"rollback", "esper_run_rollbacks", 0, "warning", "went back to a checkpoint"},
    {"rollbacks often", "esper_run_rollback_rate", 2, "page",
     "goes back to a checkpoint more than twice in 1,000 steps"},
    {"kernel", "esper_run_kernels_rejected", 0, "warning", "refused a kernel, or one failed in it"},
    {"leak", "esper_run_memory_growth", 1.3, "warning",
     "the least memory of its last quarter of an hour is 30 % above the most of its first"},
    {"lag", "esper_run_lag_seconds", 10, "warning",
     "was shown more than ten seconds late within the last minute"},
});

std::optional<double> resident_bytes(int process) {
    const auto text = read_file(fmt::format("/proc/{}/statm", process), 4096);
    if (!text) return std::nullopt;
    const auto at = text->find(' ');
    if (at == std::string::npos) return std::nullopt;
    double pages = 0;
    const auto* const begin = text->data() + at + 1;
    if (std::from_chars(begin, text->data() + text->size(), pages).ec != std::errc{})
        return std::nullopt;
    return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// Of events that say so, and of the refusals that run.json lists.
double kernels_rejected(const json& record) {
    const auto kernels = record.find("kernels");
    if (kernels == record.end() || !kernels->is_object()) return 0;
    double n = 0;
    if (const auto refused = kernels->find("refused");
        refused != kernels->end() && refused->is_array())
        n += static_cast<double>(refused->size());
    if (const auto seeds = kernels->find("seeds"); seeds != kernels->end() && seeds->is_array())
        n += static_cast<double>(std::ranges::count_if(
            *seeds, [](const json& seed) { return seed.is_object() && seed.contains("fault"); }));
    return n;
}

std::string rule_name(std::string_view kind) {
    std::string name = "EsperRun";
    bool starts = true;
    for (const char c : kind) {
        if (c == ' ') {
            starts = true;
            continue;
        }
        name += starts ? static_cast<char>(c - 'a' + 'A') : c;
        starts = false;
    }
    return name;
}

}  // namespace

std::span<const RunFigure> run_figures() { return kFigures; }
std::span<const AlertRule> alert_rules() { return kRules; }

void MemoryCourse::look(const std::filesystem::path& folder, std::int64_t now_ns) {
    if (!looks_.empty() && now_ns - looks_.back().at_ns < 10 * kSecond) return;
    const auto process = records::RunLock::process_here(folder);
    const auto bytes = process ? resident_bytes(*process) : std::nullopt;
    if (!bytes) return;
    looks_.push_back({now_ns, *bytes});
    while (now_ns - looks_.front().at_ns > 3600 * kSecond) looks_.pop_front();
}

std::optional<double> MemoryCourse::bytes() const {
    return looks_.empty() ? std::nullopt : std::optional(looks_.back().bytes);
}

std::optional<double> MemoryCourse::growth() const {
    if (looks_.empty() || looks_.back().at_ns - looks_.front().at_ns < 1200 * kSecond)
        return std::nullopt;
    const auto quarter = (looks_.back().at_ns - looks_.front().at_ns) / 4;
    double before = 0, since = looks_.back().bytes;
    for (const auto& look : looks_) {
        if (look.at_ns < looks_.front().at_ns + quarter) before = std::max(before, look.bytes);
        if (look.at_ns > looks_.back().at_ns - quarter) since = std::min(since, look.bytes);
    }
    return before > 0 ? std::optional(since / before) : std::nullopt;
}

RunFigures figures_of(const FiguresOf& facts) {
    using records::number_of;
    const auto is = [&](RunState state) { return facts.state == state ? 1.0 : 0.0; };
    const bool runs = facts.state == RunState::kRunning || facts.state == RunState::kStalled;
    const auto rollbacks = number_of(facts.row, "rollbacks").value_or(0);
    const auto steps = number_of(facts.row, "steps").value_or(0);
    const auto seeds = facts.row.find("seeds");
    const auto of_seeds = [&](const char* key) {
        return seeds != facts.row.end() && seeds->is_object() ? number_of(*seeds, key)
                                                              : std::nullopt;
    };
    return {is(RunState::kKilled),
            is(RunState::kFailed),
            is(RunState::kUnreadable),
            facts.has_unread_files ? 1 : 0,
            runs ? static_cast<double>(facts.silent_ns) * 1e-9 : 0,
            facts.loss_is_finite ? 0 : 1,
            rollbacks,
            1000 * rollbacks / std::max(1000.0, steps),
            kernels_rejected(facts.record),
            runs ? facts.memory.growth() : std::nullopt,
            runs ? facts.lag_seconds : std::nullopt,
            runs ? facts.memory.bytes() : std::nullopt,
            number_of(facts.row, "epochs"),
            number_of(facts.row, "steps"),
            number_of(facts.row, "train_loss"),
            number_of(facts.row, "val_loss"),
            facts.examples_per_second,
            number_of(facts.row, "parameters"),
            number_of(facts.row, "flops_total"),
            of_seeds("fossilized"),
            of_seeds("culled")};
}

bool holds(const AlertRule& rule, const RunFigures& figures) {
    const auto at = std::ranges::find(kFigures, rule.figure, &RunFigure::name);
    const auto& value = figures.at(static_cast<std::size_t>(at - kFigures.begin()));
    return value && *value > rule.bound;
}

std::vector<Alert> alerts_of(const RunFigures& figures, const json& row,
                             const std::filesystem::path& folder, const UnreadFiles& unread) {
    std::vector<Alert> alerts;
    for (const auto& rule : kRules) {
        if (!holds(rule, figures)) continue;
        std::string text(rule.text);
        if (rule.kind == "killed" || rule.kind == "failed")
            text += "; go on with " + records::command_with("esper resume", folder.string());
        if (rule.kind == "damaged") text = unread.record;
        if (rule.kind == "unread") text = unread.others;
        if (rule.kind == "not finite")
            text += fmt::format(" after step {}", records::integer_of(row, "steps"));
        if (rule.kind == "rollback") {
            const auto n = records::integer_of(row, "rollbacks");
            text += fmt::format(" {} time{}", n, n == 1 ? "" : "s");
        }
        if (rule.kind == "lag")
            text += "; this page's machine, or the file system of its folder, is too slow";
        alerts.push_back({std::string(rule.kind), std::move(text)});
    }
    return alerts;
}

std::string prometheus_rules() {
    std::string text =
        "# Alerts on runs for Prometheus: what the page of 'esper watch' shows, by the same\n"
        "# expressions. Written by: esper watch --print-rules\n"
        "groups:\n"
        "  - name: esper_runs\n"
        "    rules:\n";
    for (const auto& rule : kRules)
        text += fmt::format(
            "      - alert: {}\n"
            "        expr: {} > {}\n"
            "        labels:\n"
            "          severity: {}\n"
            "          kind: {}\n"
            "        annotations:\n"
            "          summary: \"{{{{ $labels.run }}}} {}\"\n",
            rule_name(rule.kind), rule.figure, rule.bound, rule.severity, rule.kind, rule.text);
    return text;
}

}  // namespace esper::nissa
