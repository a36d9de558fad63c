#include "esper/services/tolaria/host/saved_host.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/core/hosts/host.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/journal.h"
#include "esper/program/text/text_format.h"
#include "esper/services/tolaria/run/trainer.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using graph::ProgramPtr;

DatasetInfo small_images() {
    DatasetInfo data;
    data.name = "drawn";
    data.input_shape = {3, 8, 8};
    data.classes = 4;
    return data;
}

ProgramPtr small_net() {
    core::HostSpec spec;
    spec.kind = "resnet";
    spec.depth = 8;
    spec.width = 4;
    spec.classes = 4;
    spec.image_size = 8;
    return value_or_throw(core::make_host(spec));
}

class SavedHost : public testing::Test {
  protected:
    fs::path write(const std::string& name, std::string_view content) {
        EXPECT_TRUE(write_file_atomic(folder_ / name, content));
        return folder_ / name;
    }
    void expect_refused(const fs::path& path, const DatasetInfo& data, std::string_view words) {
        const auto refused = read_saved_host(path, data);
        ASSERT_FALSE(refused) << words;
        EXPECT_TRUE(refused.error().is(TolariaError::kUnsupported)) << refused.error().to_string();
        EXPECT_NE(refused.error().message().find(words), std::string::npos)
            << refused.error().message();
        EXPECT_NE(refused.error().message().find("model.path"), std::string::npos);
    }
    TemporaryFolder temporary_;
    fs::path folder_ = temporary_.path();
};

TEST_F(SavedHost, IsReadFromBothFormsOfAProgram) {
    const auto net = small_net();
    for (const auto& path :
         {write("net.txt", graph::to_text(*net)), write("net.bin", graph::to_binary(*net))})
        EXPECT_EQ(value_or_throw(read_saved_host(path, small_images()))->hash(), net->hash());
}

TEST_F(SavedHost, ThatDoesNotFitTheDataIsRefused) {
    const auto path = write("net.txt", graph::to_text(*small_net()));
    auto larger = small_images();
    larger.input_shape = {3, 32, 32};
    expect_refused(path, larger, "f32[?, 3, 32, 32]");
    auto more = small_images();
    more.classes = 5;
    expect_refused(path, more, "5 classes");
    auto text = small_images();
    text.tokens = true;
    text.input_shape = {16};
    expect_refused(path, text, "i64[?, 16]");
    auto parts = small_net()->parts();
    parts.outputs[0].name = "scores";
    expect_refused(write("odd.txt", graph::to_text(*value_or_throw(graph::Program::make(parts)))),
                   small_images(), "logits");
}

TEST_F(SavedHost, WhatIsNoProgramIsRefused) {
    expect_refused(write("notes.md", "a list of things"), small_images(), "no Program");
    expect_refused(folder_, small_images(), "journal.jsonl");
    const auto missing = read_saved_host(folder_ / "gone.txt", small_images());
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().is(FileError::kNotFound));
}

configs::EsperConfig growing() {
    auto config = testing_runs::tiny_gpt();
    config.run.epochs = 6;
    config.data.batch_size = 64;
    config.growth.training = configs::Duration::epochs(1);
    config.growth.graft_steps = 2;
    config.growth.stabilization = configs::Duration::batches(1);
    config.growth.fine_tune = configs::Duration::epochs(0);
    config.growth.gate.min_examples = 50;
    config.growth.gate.fork_share = 0;
    config.growth.gate.rent = 0;
    config.growth.start = 0;
    config.growth.blueprints = {"bottleneck_mlp"};
    config.controller.policy = configs::Policy::kPeriodic;
    return config;
}

// A network that a run has grown is trained from scratch: same architecture, other values.
TEST_F(SavedHost, TheNetworkOfARunTrainsFromScratch) {
    auto config = growing();
    auto first = value_or_throw(Trainer::create(config, folder_ / "grown"));
    ASSERT_EQ(value_or_throw(first->run()), RunStatus::kDone);
    const auto grown = first->program();
    ASSERT_GT(graph::seeds_in(*grown).size(), 0U) << "this run kept no seed";
    first.reset();

    config.model.path = (folder_ / "grown").string();
    config.controller.policy = configs::Policy::kNever;
    config.run.epochs = 2;
    auto second = value_or_throw(Trainer::create(config, folder_ / "scratch"));
    EXPECT_EQ(second->program()->parameter_count(), grown->parameter_count());
    EXPECT_TRUE(graph::seeds_in(*second->program()).empty());
    EXPECT_EQ(value_or_throw(second->run()), RunStatus::kDone);
    const auto hash = second->program()->hash();
    second.reset();
    config.run.epochs = 3;
    auto resumed = value_or_throw(Trainer::resume(config, folder_ / "scratch"));
    EXPECT_EQ(resumed->program()->hash(), hash);
}

TEST_F(SavedHost, ARunThatStillHasSeedsInTheBalanceIsRefused) {
    fs::create_directories(folder_ / "run");
    core::HostSpec spec{.kind = "mlp", .depth = 1, .width = 8, .classes = 4, .image_size = 8};
    const auto host = value_or_throw(core::make_host(spec));
    auto journal = value_or_throw(graph::Journal::create(folder_ / "run" / "journal.jsonl", *host));
    const auto& anchor = host->anchors()[0];
    const graph::InsertSeed edit{
        "s1", anchor.name, "low_rank",
        value_or_throw(blueprints::make_blueprint("low_rank", anchor,
                                                  {graph::DType::kFloat32, {-1, anchor.features}}))
            .program};
    const auto grown = value_or_throw(graph::apply(*host, edit));
    ASSERT_TRUE(journal.append(edit, *grown, 1, "for the test"));
    const auto refused = read_saved_host(folder_ / "run", small_images());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(graph::GraphError::kIllegalEdit));
}

}  // namespace
}  // namespace esper::tolaria
