#include "esper/services/tolaria/run/resume_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "esper/configs/load.h"
#include "esper/configs/relations.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

constexpr std::array<std::string_view, 14> kFixed = {"run.seed",
                                                     "run.device",
                                                     "run.precision",
                                                     "run.threads",
                                                     "run.deterministic",
                                                     "run.steps_per_epoch",
                                                     "model.",
                                                     "data.",
                                                     "optimization.optimizer",
                                                     "growth.enabled",
                                                     "growth.anchors",
                                                     "growth.seeds_per_anchor",
                                                     "growth.isolation",
                                                     "controller.policy"};

/// A key that stood open is what the run chose.
template <auto Section, auto Key, auto kOpen>
void keep_choice(configs::EsperConfig& wanted, const configs::EsperConfig& saved) {
    auto& value = wanted.*Section.*Key;
    if (value == kOpen) value = saved.*Section.*Key;
}

using configs::EsperConfig;

// Keys whose value may leave a choice to Trainer::create, which writes what it chose into the run's
// config.yaml. A further key of this kind needs a row, or a resume with the caller's own
// configuration is refused.
constexpr std::array kSettledAtTheStart = {
    keep_choice<&EsperConfig::run, &configs::RunConfig::precision, configs::Precision::kAuto>,
    keep_choice<&EsperConfig::run, &configs::RunConfig::threads, 0>,
    keep_choice<&EsperConfig::controller, &configs::ControllerConfig::policy,
                configs::Policy::kAuto>,
};

bool is_fixed(const std::string& path) {
    // Where the data and the model lie is not what they are: the data's fingerprint and the host's
    // hash are compared with the run's.
    if (path == "data.workers" || path == "data.path" || path == "data.tokenizer" ||
        path == "model.path")
        return false;
    return std::any_of(kFixed.begin(), kFixed.end(), [&](std::string_view key) {
        return key.ends_with('.') ? path.starts_with(key) : path == key;
    });
}

}  // namespace

Result<ResumeChange> check_resume(const records::RunFolder& folder,
                                  const configs::EsperConfig& wanted) {
    configs::LoadOptions options;
    options.path = folder.path() / "config.yaml";
    options.of_a_run = true;
    ESPER_TRY(const auto saved, configs::load_config(options));
    ResumeChange change{wanted, {}};
    for (const auto keep : kSettledAtTheStart) keep(change.config, saved);
    change.changed = configs::differences(saved, change.config);
    // Of a network that is read from a file the shape keys say nothing.
    const auto shape = configs::shape_keys();
    const bool from_file = !saved.model.path.empty() && !wanted.model.path.empty();
    std::string fixed;
    for (const auto& d : change.changed)
        if (is_fixed(d.path) && !(from_file && std::ranges::find(shape, d.path) != shape.end()))
            fixed +=
                fmt::format("\n  {}: the run has {}, asked for is {}", d.path, d.before, d.after);
    if (!fixed.empty())
        return fail(TolariaError::kChangedRun,
                    "a run goes on as what it is; leave these keys as they are, or start a new run "
                    "with them:" +
                        fixed);
    return change;
}

Status check_unfinished(const records::RunFolder& folder, std::int64_t step, const Course& course,
                        double spent, const std::string& early) {
    ESPER_TRY(const auto run, folder.read_run_json());
    if (!early.empty() && run.value("status", "") == "done")
        return fail(TolariaError::kAlreadyDone,
                    fmt::format("the run in {} is done, it ended early: {}; to train on, give it "
                                "more patience (optimization.early_stopping.patience=N, 0ep: to "
                                "its whole length)",
                                folder.path().string(), early));
    if (!course.is_over(step, spent) || run.value("status", "") != "done") return {};
    if (course.has_budget())
        return fail(TolariaError::kAlreadyDone,
                    fmt::format("the run in {} is done, its budget of {} is spent; to train on, "
                                "give it more (run.budget=N)",
                                folder.path().string(), course.budget().in_words()));
    return fail(TolariaError::kAlreadyDone,
                fmt::format("the run in {} is done, all {} steps of it; to train on, give it more "
                            "epochs than its {} (run.epochs=N)",
                            folder.path().string(), run.value("steps", step),
                            run.value("epochs", std::int64_t{0})));
}

Status write_changes(const ResumeChange& change, records::RunFolder& folder, std::int64_t step,
                     std::int64_t epoch) {
    if (change.changed.empty()) return {};
    nlohmann::json keys = nlohmann::json::object();
    for (const auto& d : change.changed) keys[d.path] = {{"from", d.before}, {"to", d.after}};
    ESPER_CHECK_STATUS(folder.event("resumed_with", step, epoch, {{"keys", keys}}));
    return write_file_atomic(folder.path() / "config.yaml", configs::to_yaml(change.config));
}

}  // namespace esper::tolaria
