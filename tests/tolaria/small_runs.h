#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/services/tolaria/run/trainer.h"
#include "tolaria/metrics_text.h"

/// Runs of a second or less that do everything a long one does.

namespace esper::tolaria::testing_runs {

namespace fs = std::filesystem;

/// Where a run can be begun. It goes away with the object, and armed fault points with it.
struct Folder {
    TemporaryFolder above;
    fs::path path;
    explicit Folder(const std::string& name) : path(above / name) {}
    ~Folder() { FaultPoints::disarm_all(); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

/// A tiny GPT on text; all else is as by default, but for what measuring may cost: of so short a
/// run two per cent would pay for nothing.
inline configs::EsperConfig tiny_gpt() {
    configs::EsperConfig config;
    config.run.epochs = 3;
    config.run.steps_per_epoch = 4;
    config.run.precision = configs::Precision::kFp32;
    config.run.threads = 1;
    config.growth.measure_share = 100;
    config.model.depth = 1;
    config.model.width = 16;
    config.model.heads = 2;
    config.model.context = 16;
    config.data.path = std::string(ESPER_SOURCE_DIR) + "/data/tinyshakespeare.txt";
    config.data.batch_size = 32;
    config.data.split = {0.97, 0.01, 0.01, 0.01};
    return config;
}

/// The same, that does not grow.
inline configs::EsperConfig small() {
    auto config = tiny_gpt();
    config.optimization.learning_rate = 0.01;
    config.optimization.warmup = configs::Duration::batches(1);
    config.growth.enabled = false;
    config.checkpoint.every = configs::Duration::epochs(1);
    return config;
}

/// A somewhat larger one that keeps seeds and culls seeds.
inline configs::EsperConfig growing() {
    auto config = small();
    config.run.seed = 5;
    config.run.epochs = 11;
    config.run.steps_per_epoch = 6;
    config.model.depth = 2;
    config.optimization.cooldown = 0.1;
    config.optimization.newborn_rate = 8;
    config.optimization.newborn_steps = 100;
    config.growth.enabled = true;
    config.growth.blueprints = {"low_rank"};
    config.growth.graft_steps = 4;
    config.growth.start = 0.01;
    config.growth.stop = 0.9;
    config.growth.cooldown = configs::Duration::epochs(0);
    config.growth.training = configs::Duration::epochs(2);
    config.growth.stabilization = configs::Duration::batches(3);
    config.growth.fine_tune = configs::Duration::epochs(1);
    config.growth.embargo = configs::Duration::epochs(1);
    config.growth.gate.lag = configs::Duration::batches(0);
    config.growth.gate.min_examples = 100;
    config.growth.gate.rent = 0;
    config.growth.gate.delta = 0.5;
    config.growth.gate.budget = configs::Duration::epochs(2);
    config.growth.gate.fork_share = 0;
    config.controller.policy = configs::Policy::kPeriodic;
    config.controller.period = configs::Duration::epochs(1);
    return config;
}

inline std::string text_of(const fs::path& path) { return value_or_throw(read_file(path)); }

inline std::vector<nlohmann::json> events_of(const fs::path& folder, const std::string& kind) {
    std::vector<nlohmann::json> found;
    const auto text = text_of(folder / "events.jsonl");
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = text.find('\n', at);
        auto event = nlohmann::json::parse(text.substr(at, end - at));
        if (event.at("event") == kind) found.push_back(std::move(event));
        at = end + 1;
    }
    return found;
}

inline nlohmann::json run_json(const fs::path& folder) {
    return nlohmann::json::parse(text_of(folder / "run.json"));
}

/// All of a checkpoint but the time that it took to get there.
inline nlohmann::json state_of(const Checkpoint& checkpoint) {
    auto state = nlohmann::json::parse(checkpoint.state);
    state.erase("wall_seconds");
    state.erase("seconds");
    if (state.contains("lengths")) state["lengths"].erase("metrics.csv");  // it holds seconds
    return state;
}

inline void expect_same_checkpoint(const fs::path& one, const fs::path& two) {
    const auto a = value_or_throw(read_checkpoint(one));
    const auto b = value_or_throw(read_checkpoint(two));
    EXPECT_EQ(nlohmann::json::diff(state_of(a), state_of(b)).dump(), "[]") << one << " " << two;
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (const auto& [name, tensor] : a.tensors) {
        ASSERT_TRUE(b.tensors.contains(name)) << name;
        EXPECT_TRUE(at::equal(tensor, b.tensors.at(name))) << name;
    }
}

/// Everything that a run leaves behind is the same in both folders, to the bit.
inline void expect_same_run(const fs::path& one, const fs::path& two) {
    for (const auto* name : {"events.jsonl", "journal.jsonl"})
        EXPECT_EQ(text_of(one / name), text_of(two / name)) << name;
    EXPECT_EQ(metrics_but_time(text_of(one / "metrics.csv")),
              metrics_but_time(text_of(two / "metrics.csv")));
    auto a = run_json(one);
    auto b = run_json(two);
    for (auto* run : {&a, &b}) {
        for (const auto* own : {"wall_seconds", "seconds", "peak_resident_bytes"}) run->erase(own);
        // A ledger has times in its rows, so two libraries of the same content differ in its head.
        // How often and how fast a process called its kernels differs from that of another, too.
        for (const auto* other : {"library_head", "use"})
            if (run->contains("kernels")) run->at("kernels").erase(other);
    }
    EXPECT_EQ(a, b);
    std::vector<std::string> names[2];
    for (int i : {0, 1})
        for (const auto& entry : fs::directory_iterator((i == 0 ? one : two) / "checkpoints"))
            names[i].push_back(entry.path().filename().string());
    for (auto& list : names) std::sort(list.begin(), list.end());
    EXPECT_EQ(names[0], names[1]);
    for (const auto& name : names[0])
        if (name.ends_with(".ckpt"))
            expect_same_checkpoint(one / "checkpoints" / name, two / "checkpoints" / name);
}

inline std::unique_ptr<Trainer> start(const configs::EsperConfig& config, const fs::path& folder) {
    return value_or_throw(Trainer::create(config, folder));
}

/// Stops the trainer after the next step.
inline RunStatus run_one_step(Trainer& trainer) {
    trainer.stop_after(1);
    return value_or_throw(trainer.run());
}

inline std::optional<execution::SeedSlot> find_in(Trainer& trainer, execution::SeedState wanted) {
    for (const auto& slot : trainer.growth()->kasmina().slots())
        if (trainer.growth()->kasmina().state(slot.index) == wanted) return slot;
    return std::nullopt;
}

/// Trains until a seed has been in the wanted state for a step; its slot.
inline execution::SeedSlot train_until(Trainer& trainer, execution::SeedState wanted) {
    while (trainer.step() < trainer.length().total_steps) {
        run_one_step(trainer);
        if (auto slot = find_in(trainer, wanted); slot && slot->entered_step < trainer.step())
            return *slot;
    }
    ADD_FAILURE() << "no seed came to be in " << contracts::to_text(wanted);
    return {};
}

inline void expect_replays(const fs::path& folder) {
    const auto entries = value_or_throw(graph::read_journal(folder / "journal.jsonl"));
    EXPECT_EQ(run_json(folder).at("program_sha256"),
              value_or_throw(graph::replay(entries))->hash().hex());
}

}  // namespace esper::tolaria::testing_runs
