#include "esper/services/tolaria/adapt/adaptation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "esper/core/hosts/host.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/adapt/adapted_course.h"
#include "esper/services/tolaria/data/text_dataset.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::tolaria {
namespace {

constexpr int kContext = 8;

/// Every letter is followed by the one `step` further on in a circle of eight.
std::shared_ptr<const Dataset> counting(int step, std::int64_t letters = 6000) {
    RandomStream random(7, "counting");
    std::string text = "abcdefgh";
    while (std::ssize(text) < letters) {
        int at = static_cast<int>(random.below(8));
        for (int i = 0; i < 40; ++i, at = (at + step) % 8) text += static_cast<char>('a' + at);
    }
    return value_or_throw(TextDataset::of_text(
        text, {.path = "counting", .context = kContext, .split = {0.7, 0.15, 0.1, 0.05}}));
}

core::HostSpec gpt() {
    core::HostSpec spec;
    spec.kind = "gpt";
    spec.depth = 2;
    spec.width = 16;
    spec.heads = 2;
    spec.context = kContext;
    spec.classes = 8;
    return spec;
}

std::unique_ptr<Learner> learner_of(const core::HostSpec& spec) {
    Learner::Options options;
    options.store = {5, false};
    options.optimization = adapting_recipe();
    auto learner = std::make_unique<Learner>(options);
    value_or_throw(learner->begin(value_or_throw(core::make_host(spec))));
    // An untrained head maps all to nearly one value, which no part below it could undo.
    value_or_throw(learner->store().find("head.weight")).mul_(20);
    return learner;
}

AdaptOptions options_with(double rate) {
    AdaptOptions options;
    options.parameters = 0.5;
    options.rate = rate;
    options.epochs = 6;
    options.batch_size = 16;
    options.workers = 0;
    return options;
}

TEST(Adapting, LearnsNewDataOnAHostThatKeepsItsBits) {
    auto spec = gpt();
    spec.dropout = 0.1;  // of a frozen host: off
    const auto learner = learner_of(spec);
    const auto host = learner->program();
    const auto before = learner->store().clone();
    const auto data = counting(3);
    std::vector<std::string> told;
    const auto done = value_or_throw(adapt(*learner, data, options_with(2e-2),
                                           [&](const auto& n) { told.push_back(n.at("event")); }));
    EXPECT_TRUE(done.kept());
    EXPECT_LT(done.adapter.losses.at("new"), 0.7 * done.adapter.losses.at("new, host"));
    EXPECT_LE(done.adapter.part.parameters(), done.host_parameters / 2);
    EXPECT_EQ(told.front(), "place");
    EXPECT_EQ(told.back(), "look");
    EXPECT_EQ(done.places.size(), 2U);
    EXPECT_EQ(done.places.front().anchor, done.adapter.part.anchor);
    for (const auto& p : host->parameters())
        EXPECT_TRUE(at::equal(value_or_throw(learner->store().find(p.name)),
                              value_or_throw(before.find(p.name))))
            << p.name;
}

TEST(Adapting, JudgesWhatItHasLearntWhenItIsStopped) {
    const auto learner = learner_of(gpt());
    auto options = options_with(2e-2);
    options.stops = [steps = 0]() mutable { return ++steps > 42; };
    std::vector<std::string> told;
    const auto done = value_or_throw(adapt(*learner, counting(3), options,
                                           [&](const auto& n) { told.push_back(n.at("event")); }));
    EXPECT_TRUE(done.was_stopped);
    EXPECT_FALSE(done.stopped_early);
    EXPECT_EQ(done.steps, 40);  // asked once behind the place, and twice before the first step
    EXPECT_EQ(told.back(), "look");
    EXPECT_GT(done.gate.t, 0);
    EXPECT_LT(done.adapter.losses.at("new"), done.adapter.losses.at("new, host"));

    for (const bool has_rate : {true, false}) {
        auto at_once = options_with(2e-2);
        if (!has_rate) at_once.rate.reset();
        at_once.stops = [asked = 0]() mutable { return ++asked > 1; };
        const auto stopped = adapt(*learner_of(gpt()), counting(3), at_once);
        ASSERT_FALSE(stopped);
        EXPECT_TRUE(stopped.error().is(AdaptError::kStopped));
    }
}

TEST(Adapting, ReproducesItsLossFromTheFile) {
    const auto learner = learner_of(gpt());
    const auto host = learner->program();
    const auto data = counting(3);
    const auto done = value_or_throw(adapt(*learner, data, options_with(2e-2)));
    const auto fresh = learner_of(gpt());
    auto loss = [&](const graph::ProgramPtr& program) {
        return value_or_throw(
                   evaluate_part(fresh->engine(), program, fresh->store(), *data, Part::kTest, 16))
            .losses;
    };
    const auto off = loss(fresh->program());
    const auto adapted = value_or_throw(put_on(done.adapter, *fresh->program(), fresh->store()));
    const auto on = loss(adapted);
    double mean = 0;
    for (const float one : on) mean += one;
    EXPECT_NEAR(mean / static_cast<double>(on.size()), done.adapter.losses.at("new"), 1e-5);
    EXPECT_EQ(loss(fresh->program()), off);  // off again: the host, to the last bit
}

TEST(Adapting, PaysForNoGradientBelowThePart) {
    const auto host = value_or_throw(core::make_host(gpt()));
    const auto still = value_or_throw(frozen(*host));
    const auto at = [&](const char* anchor) {
        const AdapterPart part{anchor, graph::AnchorKind::kTokens, 16, "wide_mlp", 8};
        return value_or_throw(graph::count_cost(*value_or_throw(with_adapter(*still, part))))
            .training_flops;
    };
    const auto whole = value_or_throw(graph::count_cost(*host));
    EXPECT_LT(at("blocks.1"), at("blocks.0"));
    EXPECT_LT(at("blocks.0"), whole.training_flops);
}

TEST(Adapting, TriesRatesWhereNoneIsGiven) {
    const auto learner = learner_of(gpt());
    auto options = options_with(0);
    options.rate.reset();
    const auto done = value_or_throw(adapt(*learner, counting(3), options));
    ASSERT_GE(done.tried_rates.size(), 3U);
    for (const auto& [rate, loss] : done.tried_rates)
        EXPECT_GE(loss, done.tried_rates.at(done.rate)) << rate;
    EXPECT_TRUE(done.kept());
}

TEST(Adapting, OfPlacesAlikeTakesTheCheapestOrTheLowestThatHearsEarlierTokens) {
    auto spec = gpt();
    spec.depth = 4;
    const auto host = value_or_throw(core::make_host(spec));
    const auto choice = [&](const std::vector<double>& gains, const std::string& kind = "wide_mlp",
                            std::optional<double> steps = std::nullopt) {
        std::vector<PlaceGain> places;
        for (std::size_t i = 0; i < gains.size(); ++i)
            places.push_back({"blocks." + std::to_string(i), kind, gains[i]});
        std::ranges::stable_sort(places, std::greater{}, &PlaceGain::gain);
        return chosen(places, *host, steps).anchor;
    };
    EXPECT_EQ(choice({1.0, 0.85, 0.81, 0.9}), "blocks.2");
    EXPECT_EQ(choice({1.0, 0.85, 0.7, 0.9}), "blocks.1");
    EXPECT_EQ(choice({0.1, 0.2, 0.3, 1.0}), "blocks.3");
    EXPECT_EQ(choice({-1.0, -2.0, -3.0, -4.0}), "blocks.0");
    EXPECT_EQ(choice({0.9, 0.95, 1.0, 0.3}, "wide_mixer", 1000), "blocks.0");
    EXPECT_EQ(choice({0.9, 0.95, 1.0, 0.3}, "wide_mixer"), "blocks.0");
    EXPECT_EQ(choice({0.9, 0.95, 1.0, 0.3}, "wide_mixer", 100), "blocks.2");
    EXPECT_EQ(choice({0.7, 0.95, 1.0, 0.3}, "wide_mixer"), "blocks.1");
}

TEST(Adapting, EndsWithItsBudget) {
    const auto learner = learner_of(gpt());
    auto options = options_with(1e-2);
    options.budget = configs::Budget::of_text("3e8");
    const auto done = value_or_throw(adapt(*learner, counting(3), options));
    EXPECT_GT(done.measuring_flops, 0);
    EXPECT_GT(done.training_flops, 1e8);
    EXPECT_LT(done.training_flops, 3.1e8);
}

TEST(Adapting, KeepsNothingThatDoesNotHelp) {
    const auto learner = learner_of(gpt());
    const auto done = value_or_throw(adapt(*learner, counting(3), options_with(1e-9)));
    EXPECT_FALSE(done.kept());
}

TEST(Adapting, RefusesWhatCannotBe) {
    const auto learner = learner_of(gpt());
    auto poor = options_with(1e-2);
    poor.parameters = 20;
    const auto few = adapt(*learner, counting(3), poor);
    ASSERT_FALSE(few);
    EXPECT_TRUE(few.error().is(AdaptError::kTooFewParameters));

    auto brief = options_with(1e-2);
    brief.budget = configs::Budget::of_text("1e3");
    const auto shortened = adapt(*learner, counting(3), brief);
    ASSERT_FALSE(shortened);
    EXPECT_TRUE(shortened.error().is(AdaptError::kShortBudget));

    auto spec = gpt();
    spec.context = 5;
    const auto narrow = adapt(*learner_of(spec), counting(3), options_with(1e-2));
    ASSERT_FALSE(narrow);
    EXPECT_TRUE(narrow.error().is(AdaptError::kOtherTask));
    spec = gpt();
    spec.classes = 7;
    const auto fewer = adapt(*learner_of(spec), counting(3), options_with(1e-2));
    ASSERT_FALSE(fewer);
    EXPECT_TRUE(fewer.error().is(AdaptError::kOtherTask));

    auto nowhere = options_with(1e-2);
    nowhere.anchors = {"stages.*"};
    const auto refused = adapt(*learner, counting(3), nowhere);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("blocks.0"), std::string::npos);
}

TEST(AdaptedCourse, RisesHoldsAndFallsWithTheBudget) {
    AdaptedCourse course(configs::Budget::of_text("1000"), 0);
    EXPECT_DOUBLE_EQ(course.factor(0), 1.0 / 30);
    course.train(300);
    course.measure(100);
    EXPECT_DOUBLE_EQ(course.share(50), 0.4);
    EXPECT_DOUBLE_EQ(course.factor(50), 1.0);
    course.train(300);
    EXPECT_NEAR(course.factor(50), 0.5, 1e-12);
    course.train(400);
    EXPECT_DOUBLE_EQ(course.share(50), 1.0);

    ManualClock clock;
    const AdaptedCourse timed(configs::Budget::of_text("10s"), 0, clock);
    clock.advance(std::chrono::seconds(7));
    EXPECT_DOUBLE_EQ(timed.share(1), 0.7);
    EXPECT_DOUBLE_EQ(AdaptedCourse({}, 200).share(50), 0.25);
}

}  // namespace
}  // namespace esper::tolaria
