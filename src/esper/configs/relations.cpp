#include "esper/configs/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "esper/base/text.h"
#include "esper/configs/budget.h"
#include "esper/configs/image_size.h"
#include "esper/configs/schema.h"

namespace esper::configs {
namespace {

constexpr auto kShapeKeys =
    std::to_array<std::string_view>({"model.host", "model.depth", "model.width", "model.heads",
                                     "model.dropout", "model.classes", "model.norm"});

std::string written(const EsperConfig& config, std::string_view path) {
    const Schema& schema = Schema::instance();
    const std::size_t key = schema.find(path);
    return schema[key].type->write(schema.locate(config, key), MaskSecrets::kYes);
}

/// How a sum or a share of settings reads: without the noise of its last digits.
std::string figure(double value) { return fmt::format("{:.6g}", value); }

void check_shape_beside_path(const EsperConfig& c, const Complain& complain) {
    static const EsperConfig defaults;
    for (const std::string_view path : shape_keys()) {
        if (written(c, path) == written(defaults, path)) continue;
        complain({path, "model.path"},
                 fmt::format("the network of model.path has its own shape; leave {} out, or "
                             "model.path",
                             path));
    }
}

/// The norms that a host can be built with, its customary one first.
std::vector<Norm> norms_of(Host host) {
    switch (host) {
        case Host::kMlp:
            return {Norm::kNone};
        case Host::kResnet:
            return {Norm::kBatch};
        case Host::kVgg:
            return {Norm::kBatch, Norm::kNone};
        case Host::kGpt:
            return {Norm::kLayer};
    }
    return {};
}

void check_parts_of_host(const EsperConfig& c, const Complain& complain) {
    const std::string host(contracts::to_text(c.model.host));
    const auto norms = norms_of(c.model.host);
    if (c.model.norm != Norm::kAuto && std::ranges::find(norms, c.model.norm) == norms.end()) {
        std::vector<std::string> names{"auto"};
        for (const Norm norm : norms) names.emplace_back(contracts::to_text(norm));
        complain({"model.norm", "model.host"},
                 fmt::format("'{}' cannot be built with '{}'; choose {}", host,
                             contracts::to_text(c.model.norm), join(names, " or ")));
    }
    if (c.model.dropout > 0 && c.model.host != Host::kGpt) {
        complain({"model.dropout", "model.host"},
                 fmt::format("only gpt has dropout, '{}' has none; set it to 0", host));
    }
}

void check_model(const EsperConfig& c, const Complain& complain) {
    if (!c.model.path.empty()) {
        check_shape_beside_path(c, complain);
        return;
    }
    check_parts_of_host(c, complain);
    const bool gpt = c.model.host == Host::kGpt;
    const bool tokens = c.data.kind == DataKind::kText || c.data.kind == DataKind::kTokens;
    if (gpt != tokens) {
        complain({"model.host", "data.kind"},
                 gpt ? "a gpt learns from text; choose data.kind: text or another model.host"
                     : "text needs a gpt; choose model.host: gpt or another data.kind");
    }
    if (c.data.kind == DataKind::kTable && c.model.host != Host::kMlp) {
        complain({"model.host", "data.kind"}, "a table needs an mlp; choose model.host: mlp");
    }
    if (gpt && c.model.width % c.model.heads != 0) {
        complain({"model.width", "model.heads"},
                 fmt::format("the heads must share the width evenly, got {} for {}", c.model.heads,
                             c.model.width));
    }
    if (gpt && c.data.context > c.model.context) {
        complain({"data.context", "model.context"},
                 fmt::format("examples of {} characters are longer than the model's {}",
                             c.data.context, c.model.context));
    }
    if (c.model.host == Host::kResnet && (c.model.depth < 8 || (c.model.depth - 2) % 6 != 0)) {
        complain({"model.depth", "model.host"},
                 fmt::format("a resnet has 6n+2 layers (8, 14, 20, …), got {}", c.model.depth));
    }
}

void check_data(const EsperConfig& c, const Complain& complain) {
    const SplitConfig& split = c.data.split;
    const double sum = split.train + split.probe + split.validation + split.test;
    if (sum > 1 + 1e-9) {
        complain(
            {"data.split.train", "data.split.probe", "data.split.validation", "data.split.test"},
            fmt::format("the four parts are disjoint, so their shares add up to at most 1, "
                        "got {}",
                        figure(sum)));
    }
    const DataKind kind = c.data.kind;
    if (brings_test(kind) && split.test > 0) {
        complain({"data.split.test", "data.kind"},
                 fmt::format("{} brings its own test images; set data.split.test to 0",
                             contracts::to_text(kind)));
    }
    // Of other files, whether they bring a test part is known when they are read.
    if ((kind == DataKind::kText || kind == DataKind::kDrawn) && split.test <= 0) {
        complain({"data.split.test", "data.kind"},
                 "this data has no test part of its own; give data.split.test a share");
    }
    if (kind != DataKind::kDrawn && kind != DataKind::kCifar10 && c.data.path.empty()) {
        complain(
            {"data.path", "data.kind"},
            fmt::format("{} is read from data.path, which is empty", contracts::to_text(kind)));
    }
}

bool may_be_images(DataKind kind) {
    return kind != DataKind::kText && kind != DataKind::kTokens && kind != DataKind::kTable;
}

void check_resolution(const EsperConfig& c, const Complain& complain) {
    if (c.data.resolution.empty()) return;
    if (!may_be_images(c.data.kind)) {
        complain({"data.resolution", "data.kind"},
                 fmt::format("only images grow, and '{}' has none; leave it out",
                             contracts::to_text(c.data.kind)));
        return;
    }
    if (const auto problem = problem_of_sizes(image_sizes(c.data.resolution)); !problem.empty())
        complain({"data.resolution"}, problem);
}

// What is known before the data are read; soft_targets_of() looks at the rest.
void check_keys_of_data(const EsperConfig& c, const Complain& complain) {
    const DataKind kind = c.data.kind;
    const std::string name(contracts::to_text(kind));
    const AugmentConfig& augment = c.data.augment;
    const std::pair<const char*, double> for_images[] = {
        {"data.augment.mixup", augment.mixup},
        {"data.augment.cutmix", augment.cutmix},
        {"data.augment.erasing", augment.erasing},
        {"data.augment.randaugment", augment.randaugment}};
    for (const auto& [key, value] : for_images)
        if (value > 0 && !may_be_images(kind))
            complain({key, "data.kind"},
                     fmt::format("images are changed, and '{}' has none; set it to 0", name));
    if (c.data.task == DataTask::kMultiLabel && kind != DataKind::kTable &&
        kind != DataKind::kNumpy && kind != DataKind::kImages)
        complain({"data.task", "data.kind"},
                 fmt::format("several labels come with a table, NumPy arrays or images, and '{}' "
                             "is none of them; set it to auto",
                             name));
    const bool tokens = kind == DataKind::kText || kind == DataKind::kTokens;
    const bool classes = !tokens && c.data.task != DataTask::kRegression;
    if (c.optimization.class_weights.is_set() && !classes)
        complain({"optimization.class_weights", tokens ? "data.kind" : "data.task"},
                 "only classes and labels have weights; set it to none");
    if (c.data.tokenizer != DataConfig{}.tokenizer && kind != DataKind::kText)
        complain({"data.tokenizer", "data.kind"},
                 fmt::format("only a text is divided into tokens, and '{}' is none; leave "
                             "data.tokenizer as it is",
                             name));
}

void check_schedule(const EsperConfig& c, const Complain& complain) {
    const OptimizationConfig& o = c.optimization;
    const bool has_momentum = o.optimizer == Optimizer::kSgd || o.optimizer == Optimizer::kMuon;
    if (has_momentum && o.nesterov && o.momentum <= 0) {
        complain({"optimization.nesterov", "optimization.momentum"},
                 "nesterov needs a momentum above 0");
    }
    if (c.data.batch_size % o.accumulate != 0) {
        complain({"optimization.accumulate", "data.batch_size"},
                 fmt::format("a batch of {} does not divide into {} pieces of one size",
                             c.data.batch_size, o.accumulate));
    }
    const bool cools = o.schedule == Schedule::kWarmupConstantCooldown;
    if (cools && o.warmup.unit == TimeUnit::kRunShare &&
        o.warmup.value / 100 + o.cooldown > 1 + 1e-9) {
        complain({"optimization.warmup", "optimization.cooldown"},
                 "warm-up and cool-down together are longer than the run");
    }
    if (!c.growth.enabled) return;
    if (c.growth.start >= c.growth.stop) {
        complain({"growth.start", "growth.stop"},
                 fmt::format("growth must start before it stops, got {} and {}",
                             figure(c.growth.start), figure(c.growth.stop)));
    }
    if (cools && c.growth.stop > 1 - o.cooldown + 1e-9) {
        complain({"growth.stop", "optimization.cooldown"},
                 fmt::format("nothing may germinate in the cool-down, which begins at {} of the "
                             "run; growth.stop is {}",
                             figure(1 - o.cooldown), figure(c.growth.stop)));
    }
}

void check_finish_at(const EsperConfig& c, const Budget& budget, const Complain& complain) {
    if (c.run.finish_at.empty()) return;
    if (!budget.is_set()) {
        complain({"run.finish_at", "run.budget"},
                 "smaller budgets need a larger one; give run.budget, or no run.finish_at");
        return;
    }
    if (c.optimization.schedule != Schedule::kWarmupConstantCooldown) {
        complain({"run.finish_at", "optimization.schedule"},
                 "only a schedule with a constant part can be finished at several budgets; choose "
                 "warmup_constant_cooldown");
    }
    for (const auto& text : c.run.finish_at) {
        const auto smaller = Budget::of_text(text);
        if (smaller.of == budget.of && smaller.amount < budget.amount) continue;
        complain({"run.finish_at", "run.budget"},
                 fmt::format("'{}' is no smaller budget of the kind of run.budget, '{}'", text,
                             c.run.budget));
    }
}

/// Of a run that ends by the clock nobody knows the steps beforehand.
void check_lengths_by_the_clock(const EsperConfig& c, const Complain& complain) {
    const auto is_share = [](const Duration& d) { return d.unit == TimeUnit::kRunShare; };
    const auto refuse = [&](std::string_view path, const Duration& d) {
        if (is_share(d))
            complain({path, "run.budget"},
                     fmt::format("{} of a run that ends by the clock is no number of steps; give "
                                 "epochs (2ep) or steps (100ba)",
                                 d.to_string()));
    };
    if (c.checkpoint.every.is_progress()) refuse("checkpoint.every", c.checkpoint.every);
    if (!c.growth.enabled) return;
    refuse("growth.training", c.growth.training);
    refuse("growth.stabilization", c.growth.stabilization);
    refuse("growth.fine_tune", c.growth.fine_tune);
    refuse("growth.gate.budget", c.growth.gate.budget);
    refuse("growth.gate.lag", c.growth.gate.lag);
}

void check_budget(const EsperConfig& c, const Complain& complain) {
    const auto budget = Budget::of_text(c.run.budget);
    check_finish_at(c, budget, complain);
    if (budget.of == Budget::Of::kSeconds) check_lengths_by_the_clock(c, complain);
}

void check_controller(const EsperConfig& c, const Complain& complain) {
    const TournamentConfig& t = c.controller.tournament;
    if (t.random_entrants > t.candidates) {
        complain({"controller.tournament.random_entrants", "controller.tournament.candidates"},
                 fmt::format("{} random entrants do not fit into {} candidates", t.random_entrants,
                             t.candidates));
    }
}

}  // namespace

std::span<const std::string_view> shape_keys() { return kShapeKeys; }

void check_relations(const EsperConfig& config, const Complain& complain) {
    check_model(config, complain);
    check_data(config, complain);
    check_keys_of_data(config, complain);
    check_resolution(config, complain);
    check_schedule(config, complain);
    check_budget(config, complain);
    check_controller(config, complain);
}

std::vector<std::string> find_warnings(const EsperConfig& c) {
    std::vector<std::string> warnings;
    const auto warn = [&](std::string text) { warnings.push_back(std::move(text)); };
    const auto schedule = c.optimization.schedule;
    const bool falls = schedule == Schedule::kCosine || schedule == Schedule::kOneCycle;
    if (c.growth.enabled && falls && c.growth.stop > 0.5) {
        warn(
            fmt::format("growth.stop is above 0.5 under a {} schedule: late seeds learn too little",
                        contracts::to_text(schedule)));
    }
    return warnings;
}

}  // namespace esper::configs
