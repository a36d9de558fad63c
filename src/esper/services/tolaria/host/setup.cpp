#include "esper/services/tolaria/host/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/blueprints/catalogue.h"
#include "esper/configs/image_size.h"
#include "esper/services/tolaria/data/batch_plan.h"
#include "esper/services/tolaria/data/data_config.h"
#include "esper/services/tolaria/data/scaled_images.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/host/imported_host.h"
#include "esper/services/tolaria/host/saved_host.h"
#include "esper/services/tolaria/learn/flops.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

Result<std::shared_ptr<const Dataset>> open_data(const configs::EsperConfig& config) {
    ESPER_TRY(auto data, open_dataset(data_options(config)));
    if (config.data.resolution.empty()) return data;
    return ScaledImages::of(std::move(data),
                            configs::image_sizes(config.data.resolution).back().pixels);
}

Result<graph::ProgramPtr> make_host(const configs::EsperConfig& config, const DatasetInfo& data) {
    if (is_exported_model(config)) {
        ESPER_TRY(auto model, import_host(config, data));
        return model.program;
    }
    if (!config.model.path.empty()) return read_saved_host(config.model.path, data);
    core::HostSpec spec;
    spec.kind = std::string(contracts::to_text(config.model.host));
    spec.depth = config.model.depth;
    spec.width = config.model.width;
    spec.classes = config.model.classes > 0 ? config.model.classes : data.classes;
    spec.heads = config.model.heads;
    spec.dropout = config.model.dropout;
    spec.batch_norm = config.model.norm != configs::Norm::kNone;
    if (data.tokens) {
        spec.context = data.input_shape.at(0);
    } else if (data.input_shape.size() == 1) {
        spec.features = data.input_shape.at(0);
    } else {
        spec.channels = data.input_shape.at(0);
        spec.image_size = data.input_shape.at(1);
    }
    if (spec.classes < data.classes)
        return fail(TolariaError::kUnsupported,
                    "model.classes is " + std::to_string(spec.classes) + " but the data has " +
                        std::to_string(data.classes) + "; leave it 0 to follow the data");
    if (data.tokens != (spec.kind == "gpt"))
        return fail(TolariaError::kUnsupported,
                    "model.host '" + spec.kind + "' does not fit data.kind '" + data.name +
                        "': text wants gpt, images want mlp, resnet or vgg");
    if (data.input_shape.size() == 1 && !data.tokens && spec.kind != "mlp")
        return fail(TolariaError::kUnsupported,
                    "model.host '" + spec.kind + "' takes images; the rows of a table want mlp");
    return core::make_host(spec);
}

namespace {

/// The blueprints that fit one of the anchors where seeds sit, by name.
std::vector<std::string> fitting_blueprints(const core::WrappedModel& wrapped, bool sham) {
    std::set<std::string> names;
    for (const auto& slot : wrapped.slots)
        for (auto& name : blueprints::blueprint_names(wrapped.anchor_of(slot).kind, sham))
            names.insert(std::move(name));
    return {names.begin(), names.end()};
}

bool matches_one(const std::string& pattern, const std::vector<std::string>& names) {
    return std::ranges::any_of(names,
                               [&](const std::string& name) { return glob_match(pattern, name); });
}

// A name that no blueprint has is a slip. One that only other kinds of anchors take may stand in a
// configuration for several hosts, as long as another one fits here.
Status check_blueprints(const configs::GrowthConfig& growth, const core::WrappedModel& wrapped) {
    const auto fitting = fitting_blueprints(wrapped, growth.sham);
    std::set<std::string> known(fitting.begin(), fitting.end());
    for (auto kind :
         {graph::AnchorKind::kImage, graph::AnchorKind::kVector, graph::AnchorKind::kTokens})
        for (auto& name : blueprints::blueprint_names(kind, growth.sham))
            known.insert(std::move(name));
    bool fits = growth.blueprints.empty();
    for (const auto& pattern : growth.blueprints) {
        if (!matches_one(pattern, {known.begin(), known.end()}))
            return fail(TolariaError::kUnsupported, "growth.blueprints: no blueprint is named " +
                                                        quote_with_suggestion(pattern, fitting) +
                                                        "; there are: " + join(fitting, ", "));
        fits = fits || matches_one(pattern, fitting);
    }
    if (fits) return {};
    return fail(TolariaError::kUnsupported,
                "growth.blueprints: none of " + join(growth.blueprints, ", ") +
                    " fits the anchors of this host; those that fit: " + join(fitting, ", "));
}

}  // namespace

Result<core::WrappedModel> growth_places(const configs::GrowthConfig& growth,
                                         const graph::ProgramPtr& host) {
    core::WrapOptions places;
    places.anchors = growth.anchors;
    places.seeds_per_anchor = static_cast<std::uint32_t>(growth.seeds_per_anchor);
    auto wrapped = core::wrap(host, places);
    if (!wrapped)
        return fail(TolariaError::kUnsupported, "growth.anchors, growth.seeds_per_anchor: " +
                                                    std::string(wrapped.error().message()));
    ESPER_CHECK_STATUS(check_blueprints(growth, *wrapped));
    return wrapped;
}

namespace {

Result<std::vector<float>> listed_weights(std::span<const double> listed, const DatasetInfo& info) {
    const auto kind = info.task == Task::kMultiLabel ? "label" : "class";
    if (static_cast<std::int64_t>(listed.size()) == info.classes)
        return std::vector<float>(listed.begin(), listed.end());
    constexpr std::size_t kNamed = 20;
    const std::vector<std::string> names(
        info.class_names.begin(), info.class_names.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                 kNamed, info.class_names.size())));
    return fail(
        TolariaError::kUnsupported,
        fmt::format("optimization.class_weights: expected {} numbers, one for each {} in this "
                    "order: {}{}; got {}; give as many, or write balanced",
                    info.classes, kind, printable(join(names, ", ")),
                    names.size() < info.class_names.size() ? ", …" : "", listed.size()));
}

}  // namespace

Result<std::optional<SoftTargets>> soft_targets_of(const configs::EsperConfig& config,
                                                   const Dataset& data) {
    const auto& info = data.info();
    const bool labels = info.task == Task::kMultiLabel;
    const bool classes = (info.task == Task::kClassification && !info.tokens) || labels;
    const bool images = info.input_shape.size() == 3;
    SoftTargets soft;
    soft.mixup = config.data.augment.mixup;
    soft.cutmix = config.data.augment.cutmix;
    soft.label_smoothing = config.optimization.label_smoothing;
    const auto refuse = [&](const char* key, const char* what) {
        return fail(TolariaError::kUnsupported,
                    fmt::format("{} is for {}, and these data ({}) have none; leave it out", key,
                                what, info.name));
    };
    if (soft.label_smoothing > 0 && info.task == Task::kRegression)
        return refuse("optimization.label_smoothing", "classes, labels and tokens");
    if (soft.mixes() && !(classes && images))
        return refuse("data.augment.mixup or cutmix", "images with classes or labels");
    const auto& augment = config.data.augment;
    if ((augment.erasing > 0 || augment.randaugment > 0) && !images)
        return refuse("data.augment.erasing or randaugment", "images");
    const auto& weights = config.optimization.class_weights;
    if (weights.is_set() && !classes)
        return refuse("optimization.class_weights", "classes or labels");
    if (weights.balanced) {
        const auto examples = train_examples(config, data);
        ESPER_TRY(soft.class_weights, labels ? balanced_label_weights(data, examples)
                                             : balanced_weights(data, examples));
    } else if (weights.is_set()) {
        ESPER_TRY(soft.class_weights, listed_weights(weights.listed, info));
    }
    if (!soft.is_needed(info.task)) return std::optional<SoftTargets>{};
    return std::optional(std::move(soft));
}

std::uint32_t train_examples(const configs::EsperConfig& config, const Dataset& data) {
    const auto all = data.size(Part::kTrain);
    if (config.data.train_examples <= 0) return all;
    return static_cast<std::uint32_t>(std::min<std::int64_t>(config.data.train_examples, all));
}

Status check_batch_size(const configs::EsperConfig& config, const Dataset& data) {
    const auto examples = train_examples(config, data);
    if (config.data.batch_size <= static_cast<std::int64_t>(examples)) return {};
    return fail(
        TolariaError::kUnsupported,
        fmt::format("data.batch_size is {}, but the training part has {} examples{}; set "
                    "data.batch_size to {} or less, or give it more data",
                    config.data.batch_size, examples,
                    config.data.train_examples > 0 ? " (data.train_examples)" : "", examples));
}

std::int64_t examples_a_step(const configs::EsperConfig& config, const Dataset& data) {
    return std::min<std::int64_t>(config.data.batch_size, train_examples(config, data));
}

RunLength run_length(const configs::EsperConfig& config, const Dataset& data) {
    RunLength length;
    length.steps_per_epoch = config.run.steps_per_epoch;
    if (length.steps_per_epoch == 0)
        length.steps_per_epoch = static_cast<std::int64_t>(
            BatchPlan::shuffled(train_examples(config, data),
                                static_cast<std::uint32_t>(config.data.batch_size), config.run.seed)
                .steps_per_epoch());
    length.total_steps = length.steps_per_epoch * config.run.epochs;
    return length;
}

Result<RunLength> planned_length(const configs::EsperConfig& config, const Dataset& data,
                                 const graph::ProgramPtr& host) {
    auto length = run_length(config, data);
    const auto budget = configs::Budget::of_text(config.run.budget);
    if (!budget.is_set()) return length;
    length.total_steps = 0;
    if (budget.of == configs::Budget::Of::kSeconds) return length;
    ESPER_TRY(const auto costs, size_costs(config, data.info(), *host));
    const auto examples = examples_a_step(config, data);
    const double step = training_flops(costs.front().cost, examples);
    if (budget.amount < step)
        return fail(TolariaError::kUnsupported,
                    fmt::format("run.budget is {}, less than one step of this network, {}; give "
                                "more, or a smaller network or data.batch_size",
                                budget.in_words(), budget.in_words(step)));
    // More steps than any machine makes; their products still fit 64 bits.
    constexpr double kMostSteps = 1e12;
    length.total_steps = static_cast<std::int64_t>(
        std::min(kMostSteps, std::ceil(steps_at(prices_of(costs), budget.amount, examples))));
    return length;
}

LearningRateSchedule schedule_of(const configs::EsperConfig& config, const RunLength& length) {
    const auto& o = config.optimization;
    LearningRateSchedule schedule;
    schedule.kind = o.schedule;
    schedule.peak = o.learning_rate;
    schedule.total_steps = static_cast<std::uint64_t>(length.total_steps);
    schedule.warmup_steps = static_cast<std::uint64_t>(
        o.warmup.steps(length.steps_per_epoch, length.total_steps).value_or(0));
    schedule.cooldown = o.cooldown;
    // Steps are no shares of what is spent where they do not all cost the same.
    const bool grows = config.data.resolution.size() > 1 && !config.run.budget.empty();
    if ((length.total_steps == 0 || grows) && o.warmup.unit == configs::TimeUnit::kRunShare)
        schedule.warmup_share = o.warmup.value / 100;
    return schedule;
}

Course course_of(const configs::EsperConfig& config, const RunLength& length) {
    const auto budget = configs::Budget::of_text(config.run.budget);
    return {schedule_of(config, length), budget, kept_budgets(budget, config.run.finish_at)};
}

}  // namespace esper::tolaria
