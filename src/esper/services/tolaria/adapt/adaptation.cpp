#include "esper/services/tolaria/adapt/adaptation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "esper/execution/kernels/kernel_error.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/adapt/adapted_course.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/flops.h"

namespace esper::tolaria {

using nlohmann::json;

namespace {

constexpr double kRates[] = {3e-3, 8e-3, 2e-2};  // then one more beyond the end that was best
constexpr double kLowestRate = 1e-3;
constexpr double kHighestRate = 5e-2;
constexpr std::int64_t kFewestSearchSteps = 5;
constexpr std::int64_t kMostSearchSteps = 40;
constexpr double kMeasureShare = 0.02;  // of the budget: for each rate that is tried, for all looks
constexpr std::uint32_t kSearchExamples = 64;
constexpr int kLooks = 10;
constexpr int kPatience = 3;        // looks in a row without a new best
constexpr double kLower = 1.0 / 3;  // of the rate, where patience has run out
constexpr int kMostLowerings = 1;
constexpr double kFewestLookExamples = 32;
constexpr double kMostLookExamples = 256;
constexpr std::uint32_t kGateExamples = 400;
constexpr std::int64_t kLeastGateExamples = 50;
constexpr double kGateError = 0.05;
constexpr double kRent = 1e-3;  // loss an example that a part has to save to be worth having

class Adapting {
  public:
    Adapting(Learner& learner, std::shared_ptr<const Dataset> data, const AdaptOptions& options,
             const std::function<void(const json&)>& news)
        : learner_(learner),
          data_(std::move(data)),
          options_(options),
          news_(news),
          host_(learner.program()),
          plan_(BatchPlan::shuffled(data_->size(Part::kTrain), batch_size(), options.seed)),
          course_(options.budget, options.epochs * static_cast<double>(plan_.steps_per_epoch())) {}

    Result<Adaptation> run() {
        ESPER_CHECK_STATUS(check_task());
        ESPER_TRY(result_.adapter.host, identity_of(*host_, learner_.store()));
        result_.host_parameters = host_->parameter_count();
        ESPER_CHECK_STATUS(place());
        ESPER_CHECK_STATUS(go_on());
        if (!options_.rate) ESPER_CHECK_STATUS(find_rate());
        ESPER_CHECK_STATUS(train());
        ESPER_CHECK_STATUS(decide());
        result_.training_flops = course_.training();
        result_.measuring_flops = course_.measuring();
        return std::move(result_);
    }

  private:
    std::uint32_t batch_size() const {
        return std::min(options_.batch_size, data_->size(Part::kTrain));
    }

    bool is_stopped() const { return options_.stops && options_.stops(); }

    Status go_on() const {
        if (!is_stopped()) return {};
        return fail(AdaptError::kStopped,
                    "stopped before the part's first step of training; nothing was written");
    }

    void tell(const json& what) const {
        if (news_) news_(what);
    }

    Status check_task() const {
        const auto& info = data_->info();
        const auto& input = host_->inputs().front().type.shape;
        const std::vector<std::int64_t> one(input.begin() + 1, input.end());
        if (one != info.input_shape)
            return fail(AdaptError::kOtherTask,
                        fmt::format("the data's inputs have the shape [{}], the network takes [{}]",
                                    fmt::join(info.input_shape, ", "), fmt::join(one, ", ")));
        ESPER_TRY(const auto known, output_count(*host_));
        if (info.classes > known)
            return fail(AdaptError::kOtherTask,
                        fmt::format("the data have {} classes or tokens, the network knows {}",
                                    info.classes, known));
        for (const auto& [part, least] :
             {std::pair{Part::kProbe, kLeastGateExamples}, std::pair{Part::kTest, std::int64_t{1}}})
            if (data_->size(part) < least)
                return fail(DataError::kTooSmall,
                            fmt::format("the {} part of the data has {} examples, and the new part "
                                        "is judged on at least {}; give more data",
                                        to_text(part), data_->size(part), least));
        return {};
    }

    Status place() {
        const auto share = options_.parameters;
        const auto wanted = static_cast<std::int64_t>(
            share > 1 ? share : share * static_cast<double>(result_.host_parameters));
        PlaceSearch search;
        ESPER_TRY(search.frozen, frozen(*host_));
        search.anchors = options_.anchors;
        search.parameters = wanted;
        search.seed = options_.seed;
        search.batch_size = batch_size();
        ESPER_TRY(result_.places, place_gains(search, learner_.engine(), learner_.store(), *data_,
                                              [&](double flops) { course_.measure(flops); }));
        ESPER_TRY(const auto host_cost, graph::count_cost(*host_));
        const auto best = chosen(result_.places, *host_,
                                 course_.steps_of(training_flops(host_cost, batch_size())));
        auto& part = result_.adapter.part;
        ESPER_TRY(part, sized_part(*host_->find_anchor(best.anchor), best.blueprint, wanted));
        ESPER_TRY(adapted_, with_adapter(*search.frozen, part));
        ESPER_CHECK_STATUS(learner_.store().add(*adapted_, graph::seed_scope(kAdapterSeed),
                                                graph::seed_prefix(kAdapterSeed)));
        ESPER_TRY(cost_, graph::count_cost(*adapted_));
        step_flops_ = training_flops(cost_, batch_size());
        first_ = block()->flat.clone();
        learner_.adopt(adapted_);
        json gains = json::array();
        for (const auto& p : result_.places)
            gains.push_back({{"anchor", p.anchor}, {"blueprint", p.blueprint}, {"gain", p.gain}});
        tell({{"event", "place"},
              {"anchor", part.anchor},
              {"blueprint", part.blueprint},
              {"width", part.width},
              {"parameters", part.parameters()},
              {"host_parameters", result_.host_parameters},
              {"gains", gains}});
        if (course_.share(0) >= 1)
            return fail(
                AdaptError::kShortBudget,
                fmt::format("the budget of {} is spent on choosing the place; a step of "
                            "training costs {}: give more",
                            options_.budget.in_words(), options_.budget.in_words(step_flops_)));
        return {};
    }

    std::shared_ptr<graph::TensorBlock> block() const {
        return learner_.store().find_block(graph::seed_scope(kAdapterSeed));
    }

    void start_again() {
        block()->flat.copy_(first_);
        learner_.adopt(host_);  // so the optimizer forgets the part
        learner_.adopt(adapted_);
    }

    Status step(const Batch& batch, std::int64_t number, double rate) {
        StepRule rule;
        rule.step = number;
        rule.rate = rate * course_.factor(number);
        rule.settings = [](const std::string& name, std::int64_t) {
            BlockSettings settings;
            settings.frozen = name != graph::seed_scope(kAdapterSeed);
            return settings;
        };
        ESPER_TRY(const auto made, learner_.step(as_tensors(batch, data_->info()), rule));
        static_cast<void>(made);
        course_.train(step_flops_);
        return {};
    }

    Result<double> loss_of(Part part, std::uint32_t limit) {
        ESPER_TRY(const auto seen, evaluate_part(learner_.engine(), adapted_, learner_.store(),
                                                 *data_, part, batch_size(), limit));
        course_.measure(forward_flops(cost_, seen.examples));
        return seen.loss;
    }

    /// The loss of the choosing examples after a few steps at a rate; infinite where it diverged.
    Result<double> try_rate(double rate, std::int64_t steps) {
        start_again();
        PrefetchingLoader batches(data_, Part::kTrain, plan_,
                                  {.variation_seed = options_.seed, .workers = options_.workers});
        for (std::int64_t i = 0; i < steps; ++i) {
            ESPER_CHECK_STATUS(go_on());
            ESPER_TRY(const auto* batch, batches.next());
            if (auto made = step(*batch, i, rate); !made) {
                if (!made.error().is(execution::KernelError::kNotFinite)) return fail(made.error());
                return std::numeric_limits<double>::infinity();
            }
        }
        return loss_of(Part::kValidation, kSearchExamples);
    }

    /// Examples of each look, so that all looks together keep to their share of the budget.
    std::uint32_t look_examples() const {
        const auto steps = course_.steps_of(step_flops_);
        if (!steps) return static_cast<std::uint32_t>(kMostLookExamples);
        const double paid =
            kMeasureShare * *steps * step_flops_ / (kLooks * forward_flops(cost_, 1));
        return static_cast<std::uint32_t>(std::clamp(paid, kFewestLookExamples, kMostLookExamples));
    }

    Status find_rate() {
        const auto all = course_.steps_of(step_flops_).value_or(1000);
        const auto steps = std::clamp(static_cast<std::int64_t>(all * kMeasureShare),
                                      kFewestSearchSteps, kMostSearchSteps);
        auto& tried = result_.tried_rates;
        const auto best = [&] {
            return std::ranges::min_element(tried, {}, [](const auto& t) { return t.second; })
                ->first;
        };
        for (const double rate : kRates) {
            ESPER_TRY(tried[rate], try_rate(rate, steps));
        }
        if (best() == kRates[0]) {
            ESPER_TRY(tried[kLowestRate], try_rate(kLowestRate, steps));
        } else if (best() == *std::rbegin(kRates)) {
            ESPER_TRY(tried[kHighestRate], try_rate(kHighestRate, steps));
        }
        result_.rate = best();
        start_again();
        json losses = json::array();
        for (const auto& [rate, loss] : tried) losses.push_back({{"rate", rate}, {"loss", loss}});
        tell({{"event", "rate"}, {"rate", result_.rate}, {"steps", steps}, {"tried", losses}});
        return {};
    }

    Status train() {
        if (options_.rate) result_.rate = *options_.rate;
        PrefetchingLoader batches(data_, Part::kTrain, plan_,
                                  {.variation_seed = options_.seed, .workers = options_.workers});
        double rate = result_.rate;
        int lowered = 0;
        int looks = 0;
        while (course_.share(result_.steps) < 1) {
            if (result_.steps == 0) ESPER_CHECK_STATUS(go_on());
            if (is_stopped()) {
                result_.was_stopped = true;
                ESPER_CHECK_STATUS(look());
                break;
            }
            ESPER_TRY(const auto* batch, batches.next());
            if (auto made = step(*batch, result_.steps, rate); !made) {
                if (!made.error().is(execution::KernelError::kNotFinite)) return made;
                return fail(TolariaError::kDiverged,
                            fmt::format("the part diverged at rate {}: {}; give a lower --rate",
                                        rate, made.error().message()));
            }
            ++result_.steps;
            if (course_.share(result_.steps) * kLooks < looks + 1) continue;
            looks = static_cast<int>(course_.share(result_.steps) * kLooks);
            ESPER_CHECK_STATUS(look());
            if (worse_ < kPatience) continue;
            result_.stopped_early = lowered == kMostLowerings;
            if (result_.stopped_early) break;
            ++lowered;
            rate *= kLower;
            go_back_to_the_best();
            tell({{"event", "lower"}, {"step", result_.steps}, {"rate", rate}});
        }
        if (worse_ > 0) block()->flat.copy_(best_values_);
        result_.seconds = course_.seconds();
        return {};
    }

    Status look() {
        ESPER_TRY(const auto loss, loss_of(Part::kValidation, look_examples()));
        tell({{"event", "look"}, {"step", result_.steps}, {"loss", loss}});
        worse_ = loss < best_ ? 0 : worse_ + 1;
        if (worse_ > 0) return {};
        best_ = loss;
        best_values_ = block()->flat.clone();
        return {};
    }

    /// What the optimizer remembers is of another place.
    void go_back_to_the_best() {
        start_again();
        if (best_values_.defined()) block()->flat.copy_(best_values_);
        worse_ = 0;
    }

    /// Losses with and without the part, and whether it is worth keeping. Of what an example saves
    /// no more counts than the network's mean loss (on other examples): the sum can only fall short
    /// of the truth, and a few examples that save much do not delay the verdict.
    Status decide() {
        auto& engine = learner_.engine();
        auto& store = learner_.store();
        const auto of = [&](const graph::ProgramPtr& program, Part part, std::uint32_t limit) {
            return evaluate_part(engine, program, store, *data_, part, batch_size(), limit);
        };
        ESPER_TRY(const auto without, of(host_, Part::kProbe, kGateExamples));
        ESPER_TRY(const auto with, of(adapted_, Part::kProbe, kGateExamples));
        ESPER_TRY(const auto usual, of(host_, Part::kValidation, kGateExamples));
        course_.measure(2 * forward_flops(cost_, with.examples) +
                        forward_flops(cost_, usual.examples));
        std::vector<float> differences;
        for (const auto i : tamiyo::probe_order(options_.seed, with.examples))
            differences.push_back(
                std::min(without.losses[i] - with.losses[i], static_cast<float>(usual.loss)));
        result_.gate = tamiyo::look(
            differences, {.n0 = kLeastGateExamples, .rent = kRent, .delta_k = kGateError});
        ESPER_TRY(const auto host_test, of(host_, Part::kTest, 0));
        ESPER_TRY(const auto test, of(adapted_, Part::kTest, 0));
        auto& adapter = result_.adapter;
        adapter.name = options_.name;
        adapter.purpose = options_.purpose;
        adapter.losses = {{"new", test.loss}, {"new, host", host_test.loss}};
        const auto prefix = graph::seed_prefix(kAdapterSeed);
        for (const auto& entry : block()->entries)
            adapter.tensors[entry.name.substr(prefix.size())] = entry.value.clone();
        if (!data_->info().tokens) adapter.classes = data_->info().class_names;
        return {};
    }

    Learner& learner_;
    std::shared_ptr<const Dataset> data_;
    const AdaptOptions& options_;
    const std::function<void(const json&)>& news_;
    graph::ProgramPtr host_;
    graph::ProgramPtr adapted_;
    graph::Cost cost_;
    double step_flops_ = 0;
    at::Tensor first_;                                       ///< the part's values before training
    double best_ = std::numeric_limits<double>::infinity();  ///< loss of the looks
    at::Tensor best_values_;
    int worse_ = 0;  ///< looks since the best
    BatchPlan plan_;
    AdaptedCourse course_;
    Adaptation result_;
};

}  // namespace

configs::OptimizationConfig adapting_recipe() {
    configs::OptimizationConfig recipe;
    recipe.optimizer = configs::Optimizer::kAdamw;
    recipe.betas = {0.9, 0.97};
    recipe.weight_decay = 0.1;
    recipe.clip_norm = 1;
    return recipe;
}

Result<Adaptation> adapt(Learner& learner, std::shared_ptr<const Dataset> data,
                         const AdaptOptions& options,
                         const std::function<void(const json&)>& news) {
    return Adapting(learner, std::move(data), options, news).run();
}

}  // namespace esper::tolaria
