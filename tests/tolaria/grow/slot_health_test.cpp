#include "esper/services/tolaria/grow/slot_health.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "esper/services/tolaria/run/trainer.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using testing_runs::Folder;

TEST(SlotHealth, SaysWhatATenSaysOfEveryLayout) {
    at::manual_seed(1);
    const auto image = at::relu(at::randn({4, 24, 5, 6}));
    image.select(1, 3).zero_();
    image.select(1, 20).zero_();
    const auto tokens = at::randn({4, 7, 24}).to(at::kBFloat16);
    for (const auto& value :
         {image, image.contiguous(at::MemoryFormat::ChannelsLast), tokens, at::randn({9, 24})}) {
        const bool is_image = value.dim() == 4;
        const auto gradient = at::randn_like(value);
        SlotHealth health(1, 2);
        health.add(0, value, gradient, 0, 24);
        health.add(1, value, gradient, 16, 8);
        for (const std::size_t slot : {0, 1}) {
            const auto axis = is_image ? 1 : value.dim() - 1;
            const auto part = slot == 0 ? value : value.narrow(axis, 16, 8);
            const auto got = health.signals(slot);
            const auto wide = part.to(at::kDouble);
            EXPECT_NEAR(*got.activation_variance, wide.var(false).item<double>(), 1e-4);
            const auto rows = wide.movedim(axis, -1).reshape({-1, wide.size(axis)});
            EXPECT_EQ(*got.dead_ratio,
                      (std::get<0>(rows.max(0)) <= 0).to(at::kDouble).mean().item<double>());
            const auto g = slot == 0 ? gradient : gradient.narrow(axis, 16, 8);
            EXPECT_NEAR(*got.gradient_norm, g.to(at::kDouble).norm().item<double>(), 1e-3);
        }
    }
}

TEST(SlotHealth, WhatWasNeverSampledIsNotMeasured) {
    SlotHealth health(10, 2);
    EXPECT_FALSE(health.is_sampled(0));
    EXPECT_TRUE(health.is_sampled(9));
    health.add(0, at::randn({4, 8}), at::Tensor(), 0, 8);
    health.add(1, at::full({4, 8}, std::nan("")), at::Tensor(), 0, 8);
    EXPECT_TRUE(health.signals(0).activation_variance);
    EXPECT_FALSE(health.signals(0).gradient_norm);
    EXPECT_FALSE(health.signals(1).activation_variance);
    SlotHealth restored(10, 2);
    restored.restore(health.sums());
    EXPECT_EQ(restored.signals(0).activation_variance, health.signals(0).activation_variance);
    health.reset();
    EXPECT_FALSE(health.signals(0).activation_variance);
}

configs::EsperConfig small_run(std::int64_t every) {
    auto config = testing_runs::tiny_gpt();
    config.run.epochs = 2;
    config.run.steps_per_epoch = 5;
    config.model.depth = 2;
    config.data.batch_size = 16;
    config.data.split = {0.98, 0.002, 0.002, 0.002};
    config.controller.policy = configs::Policy::kNever;
    config.telemetry.every = every;
    return config;
}

TEST(SlotHealth, SampledStepsChangeNothingOfTheTraining) {
    Folder sampled("sampled");
    Folder silent("silent");
    auto one = value_or_throw(Trainer::create(small_run(2), sampled.path));
    auto two = value_or_throw(Trainer::create(small_run(1000), silent.path));
    ASSERT_EQ(value_or_throw(one->run()), RunStatus::kDone);
    ASSERT_EQ(value_or_throw(two->run()), RunStatus::kDone);
    EXPECT_TRUE(at::equal(one->store().blocks()[0]->flat, two->store().blocks()[0]->flat));

    std::istringstream lines(value_or_throw(read_file(sampled.path / "events.jsonl")));
    int reported = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto event = nlohmann::json::parse(line);
        if (event.at("event") != "health") continue;
        ++reported;
        EXPECT_GT(event.at("activation_variance").get<double>(), 0);
        EXPECT_GT(event.at("gradient_norm").get<double>(), 0);
        EXPECT_GE(event.at("samples").get<int>(), 2);
    }
    EXPECT_EQ(reported, 4) << "two slots, two epochs";
    const auto quiet = value_or_throw(read_file(silent.path / "events.jsonl"));
    EXPECT_NE(quiet.find("\"activation_variance\":null"), std::string::npos);
}

}  // namespace
}  // namespace esper::tolaria
