#include "esper/cli/library_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace {

constexpr std::size_t kShort = 12;  // hex digits of a hash that a table shows

/// Names and texts are what others chose.
void line(const std::string& text) { std::printf("%s\n", records::printable(text).c_str()); }

void row(const char* name, const std::string& value) {
    if (!value.empty()) line(fmt::format("  {:<14} {}", name, value));
}

std::string figures(const contracts::Metrics& metrics) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : metrics)
        parts.push_back(fmt::format("{} {:.4g}", name, value));
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string in_words(const urza::FiledReport& filed) {
    const auto& report = filed.report;
    const auto figure = [&](const char* name) -> std::optional<double> {
        const auto found = report.eval_metrics.find(name);
        if (found == report.eval_metrics.end()) return std::nullopt;
        return found->second;
    };
    auto text = fmt::format("{} at {} of a {}", contracts::to_text(report.outcome), report.at.layer,
                            filed.host);
    if (const auto features = figure("features")) text += fmt::format(", {} features", *features);
    text += fmt::format(", epochs {} to {}", report.germinated_epoch, report.ended_epoch);
    if (const auto gain = figure("gain"))
        text +=
            fmt::format("; gain {:.3g} [{:.3g}, {:.3g}]", *gain, figure("gain_low").value_or(*gain),
                        figure("gain_high").value_or(*gain));
    else
        text += "; gain not measured";
    if (const auto flops = figure("relative_flops"))
        text += fmt::format("; adds {:.2g} % of the FLOPs", 100 * *flops);
    if (const auto seconds = figure("run_seconds")) text += fmt::format("; {:.3g} s", *seconds);
    text += report.kernel_artifact_id == "operators" ? "; operators"
                                                     : "; kernel " + report.kernel_artifact_id;
    return text;
}

}  // namespace

void print_report_line(const std::string& name, const urza::FiledReport& filed) {
    line(fmt::format("{}  {:<4} {:<28} {}", filed.run.substr(0, kShort), filed.seed, name,
                     in_words(filed)));
}

std::string state_of(const urza::KernelRecord& record) {
    std::string state(contracts::to_text(record.artifact.status));
    const bool judged = record.verdict && record.verdict->passed;
    if (record.artifact.status == contracts::KernelStatus::kValidated && !judged)
        state += " (by nobody: it is not used)";
    if (record.is_collected) state += " (its object is collected: it is not used)";
    return state;
}

void add_library_options(CLI::App& command, std::string& library, std::string& objects) {
    command.add_option(
        "--library", library,
        "a folder, postgresql://USER@HOST/DATABASE or a server's http(s)://HOST:PORT "
        "(default: $ESPER_LIBRARY or "
        "~/.local/share/esper/library)");
    command.add_option(
        "--objects", objects,
        "of a library in a database: a folder or s3://BUCKET/PREFIX for the kernels' "
        "objects (default: $ESPER_OBJECTS, else rows of the database)");
}

void print_blueprint_line(const contracts::Blueprint& blueprint) {
    line(fmt::format("{}  {:<32} {:<11} {:>3}  {}", blueprint.blueprint_id.substr(0, kShort),
                     blueprint.name, contracts::to_text(blueprint.status),
                     blueprint.compiled_artifacts.size(), blueprint.created_by));
}

void print_kernel_line(const urza::KernelRecord& record) {
    std::string measured;
    if (record.artifact.validation_report)
        measured = figures(record.artifact.validation_report->baseline_comparison);
    line(fmt::format("{:<48} {}  {}  {:<10} {}  {}", record.artifact.kernel_artifact_id,
                     record.manifest.branch.substr(0, kShort), record.manifest.precision,
                     record.manifest.isa, state_of(record), measured));
}

void print_blueprint(const contracts::Blueprint& blueprint,
                     const std::vector<urza::FiledReport>& reports) {
    std::printf("blueprint %s\n", blueprint.blueprint_id.c_str());
    row("name", blueprint.name);
    row("what", blueprint.description);
    row("status", std::string(contracts::to_text(blueprint.status)));
    row("by",
        fmt::format("{}, {}", blueprint.created_by, contracts::to_string(blueprint.created_at)));
    row("descends from", fmt::format("{}", fmt::join(blueprint.parents, ", ")));
    row("kernels", fmt::format("{}", fmt::join(blueprint.compiled_artifacts, ", ")));
    for (const auto& filed : reports) row("in the field", in_words(filed));
    std::printf("\n");
    for (const auto& text : split(blueprint.architecture, '\n')) line(text);
}

void print_kernel(const urza::KernelRecord& record) {
    const auto& manifest = record.manifest;
    std::printf("kernel %s\n", manifest.artifact.c_str());
    row("blueprint", manifest.branch);
    row("state", state_of(record));
    row("made for", fmt::format("{}, {}; {} (needs {})", manifest.precision,
                                to_string(manifest.shape), manifest.isa,
                                manifest.cpu_features.empty()
                                    ? "nothing more"
                                    : fmt::format("{}", fmt::join(manifest.cpu_features, ", "))));
    row("compiled by",
        fmt::format("{}, pipeline {}, sandbox level {}, in {:.2f} s", manifest.toolchain,
                    contracts::to_text(manifest.pipeline), manifest.sandbox,
                    record.artifact.compilation_metadata.compilation_seconds));
    row("flags", fmt::format("{}", fmt::join(manifest.flags, " ")));
    row("forge key", record.forged.key);
    if (!record.verdict) return;
    const auto& verdict = *record.verdict;
    row("gauntlet key", record.judged.key);
    row("validated on", fmt::format("{}, {}, {}", verdict.hardware, to_string(verdict.shape),
                                    contracts::to_string(verdict.at)));
    row("tags", fmt::format("{}", fmt::join(verdict.tags, ", ")));
    if (!record.artifact.validation_report) return;
    const auto& report = *record.artifact.validation_report;
    row("measured", figures(report.benchmark_results));
    row("against", figures(report.baseline_comparison));
    if (report.risk_score)
        row("risk",
            fmt::format("{:.3f} ({})", *report.risk_score, contracts::to_text(*report.conf_level)));
    row("failure", report.failure.value_or(""));
}

void print_entry(const urza::LedgerEntry& entry) {
    line(fmt::format("{:>6}  {}  {:<24} {:<20} {}  {}", entry.number, entry.at.substr(0, 19),
                     entry.actor, entry.action, entry.subject, entry.hash.substr(0, kShort)));
}

nlohmann::json entry_json(const urza::LedgerEntry& entry) {
    return {{"number", entry.number}, {"at", entry.at},           {"actor", entry.actor},
            {"action", entry.action}, {"subject", entry.subject}, {"digest", entry.digest},
            {"hash", entry.hash}};
}

void print_reason(const urza::Reason& reason) {
    line(fmt::format("{:<4} {}: {}", reason.holds ? "yes" : "NO", reason.what, reason.why));
}

}  // namespace esper::cli
