#include "esper/cli/field_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/clock.h"
#include "esper/base/hash.h"
#include "esper/configs/yaml.h"
#include "esper/program/text/text_format.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/seed_stories.h"
#include "esper/services/tolaria/grow/kernel_fault.h"
#include "esper/services/tolaria/grow/past_runs.h"
#include "esper/services/urza/catalogue.h"
#include "esper/services/urza/kernel_uses.h"
#include "esper/services/urza/remote_library.h"

namespace esper::cli {

namespace {

using contracts::FieldOutcome;
using nlohmann::json;
using records::number_of;
using records::SeedOutcome;
using records::SeedStory;
using records::text_of;

/// Ids of the catalogue's blueprints by their names, e.g. `low_rank/tokens`.
Result<std::map<std::string, std::string>> catalogue_ids() {
    std::map<std::string, std::string> ids;
    ESPER_TRY(const auto all, urza::catalogue_blueprints());
    for (const auto& blueprint : all) {
        ESPER_TRY(const auto program, graph::parse_text(blueprint.architecture));
        ids[blueprint.name] = program->hash().hex();
    }
    return ids;
}

/// A finished run, as its files tell it.
struct Run {
    json record;
    std::vector<records::Event> events;
    std::vector<records::MetricsRow> rows;
    std::map<std::string, std::string> ids;
    double batch = 1;  ///< examples of a step

    /// The id of the catalogue's blueprint of that name for the kind of an anchor; "" for none.
    std::string blueprint_at(const std::string& name, const std::string& anchor) const {
        const auto kinds = kernels().value("anchor_kinds", json::object());
        const auto found = ids.find(name + "/" + text_of(kinds, anchor));
        return found == ids.end() ? "" : found->second;
    }
    json kernels() const { return record.value("kernels", json::object()); }
    /// The last row of metrics up to a step; null before the first.
    const records::MetricsRow* row_at(std::int64_t step) const {
        const auto after = std::ranges::upper_bound(rows, step, {}, &records::MetricsRow::step);
        return after == rows.begin() ? nullptr : &*std::prev(after);
    }
};

FieldOutcome outcome_of(SeedOutcome outcome) {
    switch (outcome) {
        case SeedOutcome::kKept:
            return FieldOutcome::kFossilized;
        case SeedOutcome::kRolledBack:
            return FieldOutcome::kRolledBack;
        case SeedOutcome::kCancelled:
            return FieldOutcome::kCancelled;
        default:
            return FieldOutcome::kCulled;
    }
}

void take(contracts::Metrics& metrics, const std::string& name, const json& from, const char* key) {
    if (const auto number = number_of(from, key)) metrics[name] = *number;
}

/// What the gate saw last: the loss that the seed saves per example, with the interval by which it
/// decided; against a fork trained without the seed where there was one.
void add_gain(contracts::Metrics& metrics, const Run& run, const SeedStory& story) {
    json seen;
    for (const auto at : story.gates) seen = run.events[at].content();
    for (const auto at : story.decisions) {
        const auto evidence = run.events[at].content().value("evidence", json::object());
        if (number_of(evidence, "mean")) seen = evidence;
    }
    const bool fork = number_of(seen, "fork_mean").has_value();
    take(metrics, "gain", seen, fork ? "fork_mean" : "mean");
    take(metrics, "gain_low", seen, fork ? "fork_lower" : "lower");
    take(metrics, "gain_high", seen, fork ? "fork_upper" : "upper");
    take(metrics, "rent", seen, fork ? "fork_rent" : "rent");
    take(metrics, "examples", seen, fork ? "fork_examples" : "examples");
}

/// From its germination to its end: steps, the FLOPs of the seed's own passes (a backward pass has
/// twice those of a forward pass), and the whole run's seconds and FLOPs meanwhile.
void add_cost(contracts::Metrics& metrics, const Run& run, const SeedStory& story) {
    const auto& birth = run.events[story.birth].content();
    const auto evidence = birth.value("evidence", json::object());
    take(metrics, "relative_flops", evidence, "relative_flops");
    take(metrics, "predicted_gain", evidence, "predicted_gain");
    metrics["steps"] = static_cast<double>(story.ended - story.germinated);
    const auto* from = run.row_at(story.germinated);
    const auto* to = run.row_at(story.ended);
    const auto difference = [&](const char* name, std::optional<double> records::MetricsRow::*key) {
        if (to == nullptr || !(to->*key)) return;
        if (from != nullptr && !(from->*key)) return;
        metrics[name] = *(to->*key) - (from == nullptr ? 0.0 : *(from->*key));
    };
    const auto relative = number_of(evidence, "relative_flops");
    if (relative && from != nullptr && from->flops_per_example)
        metrics["seed_flops"] =
            3 * *relative * *from->flops_per_example * run.batch * metrics["steps"];
    difference("run_seconds", &records::MetricsRow::seconds);
    difference("run_flops", &records::MetricsRow::flops_total);
}

/// Whether the kernel of a seed failed. One that could not be had again has not.
bool has_failed(const Run& run, const std::string& seed) {
    return std::ranges::any_of(run.events, [&](const records::Event& event) {
        return event.is("kernel_fault") && event.text("seed") == seed &&
               !event.text("reason").starts_with(tolaria::kCannotBeHad);
    });
}

contracts::FieldReport report_of(const Run& run, const SeedStory& story, std::string blueprint) {
    contracts::FieldReport report;
    report.blueprint_id = std::move(blueprint);
    report.kernel_artifact_id = "operators";
    report.at.layer = story.anchor;
    report.at.layer_index = static_cast<std::uint32_t>(std::max<std::int64_t>(story.slot, 0));
    report.outcome = outcome_of(story.outcome);
    const auto* before = run.row_at(story.germinated);
    const auto* after = run.row_at(story.ended);
    if (before != nullptr) report.pre_metric = before->val_loss;
    if (after != nullptr) report.post_metric = after->val_loss;
    if (before != nullptr) report.germinated_epoch = static_cast<std::uint32_t>(before->epoch);
    if (after != nullptr) report.ended_epoch = static_cast<std::uint32_t>(after->epoch);
    add_gain(report.eval_metrics, run, story);
    add_cost(report.eval_metrics, run, story);
    for (const auto& seed : run.kernels().value("seeds", json::array())) {
        if (text_of(seed, "seed") != story.seed) continue;
        const auto sample = seed.value("sample", std::vector<std::int64_t>());
        const bool is_image = sample.size() == 3;
        if (!sample.empty())
            report.eval_metrics["features"] =
                static_cast<double>(is_image ? sample.front() : sample.back());
        if (const auto kernel = text_of(seed, "kernel"); !kernel.empty()) {
            report.kernel_artifact_id = kernel;
            take(report.eval_metrics, "kernel_speed", seed, "gain");
            report.eval_metrics[urza::kKernelFailed] = has_failed(run, story.seed) ? 1 : 0;
        }
    }
    report.timestamp = contracts::now(system_clock());
    return report;
}

std::vector<urza::MeasuredCandidates> candidates_of(const Run& run,
                                                    const std::vector<SeedStory>& stories) {
    std::map<std::string, urza::MeasuredCandidates> found;
    for (const auto& event : run.events)
        if (event.is("readout"))
            if (const auto id = run.blueprint_at(event.text("blueprint"), event.text("anchor"));
                !id.empty())
                ++found[id].measured;
    for (const auto& story : stories)
        if (const auto id = run.blueprint_at(story.blueprint, story.anchor); !id.empty())
            ++found[id].chosen;
    std::vector<urza::MeasuredCandidates> all;
    for (auto& [id, candidates] : found) {
        candidates.blueprint = id;
        all.push_back(std::move(candidates));
    }
    return all;
}

/// The configuration but for lengths and names, and the events up to the first of growth: a run
/// that is trained on after its end is the same run.
std::string identity_of(configs::EsperConfig config, const std::vector<records::Event>& events) {
    const auto seed = config.run.seed;
    config.run = {};
    config.run.seed = seed;
    config.forge = {};
    Sha256Hasher hasher;
    hasher.update_field(configs::to_yaml(config));
    for (const auto& event : events) {
        hasher.update_field(event.content().dump());
        if (event.is("readout") || event.is("decision")) break;
    }
    return hasher.finish().hex();
}

/// The end of a run waits for a server no longer than this, and for one that has said nothing
/// during the whole run not at all.
Status file_at_server(const std::filesystem::path& folder, const urza::FieldRun& run) {
    using std::chrono::milliseconds;
    constexpr urza::Patience kLittle{milliseconds(1000), milliseconds(1500), milliseconds(5000)};
    ESPER_TRY(const auto record, records::read_run_json(folder));
    const auto kernels = record.value("kernels", json::object());
    if (text_of(kernels, "library_head").empty())
        return fail(urza::UrzaError::kUnreachable, text_of(kernels, "unavailable"));
    ESPER_TRY(const auto library,
              urza::RemoteLibrary::open(urza::default_library_path(), {.patience = kLittle}));
    ESPER_CHECK_STATUS(library->file_run(run));
    return {};
}

Status file(const std::filesystem::path& folder, const configs::EsperConfig& config) {
    ESPER_TRY(const auto run, field_run(folder, config));
    if (run.reports.empty() && run.candidates.empty()) return {};
    if (urza::is_server(urza::default_library_path())) return file_at_server(folder, run);
    const auto library = urza::open_library();
    const Status may = library ? (*library)->may_change() : Status(tl::unexpected(library.error()));
    // Nothing to be said: the run has said of its kernels that the library cannot be written.
    if (!may && may.error().is(urza::UrzaError::kReadOnly)) return {};
    ESPER_CHECK_STATUS(may);
    ESPER_CHECK_STATUS(urza::add_catalogue(**library));
    ESPER_CHECK_STATUS((*library)->file_run(run));
    return {};
}

}  // namespace

Result<urza::FieldRun> field_run(const std::filesystem::path& folder,
                                 const configs::EsperConfig& config) {
    Run run;
    ESPER_TRY(run.record, records::read_run_json(folder));
    ESPER_TRY(run.events, records::read_events(folder));
    ESPER_TRY(run.rows, records::read_metrics(folder));
    ESPER_TRY(run.ids, catalogue_ids());
    run.batch = static_cast<double>(config.data.batch_size);
    urza::FieldRun field;
    field.host = tolaria::host_kind(config);
    field.id = identity_of(config, run.events);
    const auto stories = records::seed_stories(run.events);
    for (const auto& story : stories) {
        auto blueprint = run.blueprint_at(story.blueprint, story.anchor);
        if (story.outcome == SeedOutcome::kAlive || blueprint.empty()) continue;
        field.reports.push_back(
            {report_of(run, story, std::move(blueprint)), field.id, story.seed, field.host});
    }
    field.candidates = candidates_of(run, stories);
    return field;
}

void file_field_run(const std::filesystem::path& folder, const configs::EsperConfig& config) {
    if (!config.growth.enabled || !config.growth.kernels) return;
    if (const auto filed = file(folder, config); !filed)
        std::fprintf(stderr, "esper: the library got no report of this run: %s\n",
                     filed.error().message().c_str());
}

}  // namespace esper::cli
