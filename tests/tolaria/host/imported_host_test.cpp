// Models exported from Python as hosts: trained, grown, resumed.
#include "esper/services/tolaria/host/imported_host.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/temporary_folder.h"
#include "esper/services/tolaria/run/trainer.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

/// The exported hosts, and runs beside them.
const fs::path& folder() {
    static const struct Folder {
        TemporaryFolder above;
        fs::path path = above / "hosts";
        Folder() {
            Dl_info where{};
            dladdr(reinterpret_cast<void*>(&at::get_num_threads), &where);
            const auto site = fs::canonical(where.dli_fname).parent_path().parent_path();
            const auto packages = site.parent_path();
            auto python = packages.parent_path().parent_path().parent_path() / "bin" / "python";
            if (!fs::exists(python)) python = "python3";
            const auto command = "PYTHONPATH='" + packages.string() + "' '" + python.string() +
                                 "' -W ignore '" ESPER_SOURCE_DIR
                                 "/tests/python/make_pt2_cases.py' '" +
                                 path.string() + "' hosts";
            made = std::system(command.c_str()) == 0;  // NOLINT: fixed words and our own paths
        }
        bool made = false;
    } here;
    EXPECT_TRUE(here.made);
    return here.path;
}

configs::EsperConfig growing(const std::string& model) {
    configs::EsperConfig config;
    config.model.path = (folder() / (model + ".pt2")).string();
    config.run.epochs = 7;
    config.run.steps_per_epoch = 4;
    config.run.precision = configs::Precision::kFp32;
    config.run.threads = 1;
    config.data.batch_size = 32;
    config.growth.blueprints = {"low_rank", "bottleneck_1x1"};
    config.growth.measure_share = 100;
    config.growth.graft_steps = 4;
    config.growth.training = configs::Duration::epochs(1);
    config.growth.stabilization = configs::Duration::epochs(1);
    config.growth.fine_tune = configs::Duration::epochs(1);
    config.growth.gate.lag = configs::Duration::batches(4);
    config.growth.gate.min_examples = 100;
    config.controller.policy = configs::Policy::kPeriodic;
    config.controller.period = configs::Duration::epochs(2);
    config.checkpoint.every = configs::Duration::epochs(1);
    return config;
}

configs::EsperConfig images() {
    auto config = growing("classifier");
    config.data.kind = configs::DataKind::kDrawn;
    config.data.split = {0.9, 0.04, 0.03, 0.03};
    return config;
}

configs::EsperConfig text() {
    auto config = growing("characters");
    config.data.path = std::string(ESPER_SOURCE_DIR) + "/data/tinyshakespeare.txt";
    config.data.context = 16;
    config.data.split = {0.97, 0.01, 0.01, 0.01};
    return config;
}

at::Tensor host_values(Trainer& trainer) { return trainer.store().blocks().front()->flat; }

// Grows, replays from its journal, and ends alike when stopped in between.
void grow(const configs::EsperConfig& config, const std::string& name) {
    auto whole = value_or_throw(Trainer::create(config, folder() / name));
    const auto model = value_or_throw(graph::import_pt2(config.model.path));
    for (const auto& [tensor, value] : model.tensors)
        EXPECT_TRUE(at::equal(value_or_throw(whole->store().find(tensor)), value)) << tensor;
    ASSERT_EQ(value_or_throw(whole->run()), RunStatus::kDone);
    const auto entries = value_or_throw(graph::read_journal(folder() / name / "journal.jsonl"));
    EXPECT_GT(entries.size(), 1U) << "nothing germinated";
    EXPECT_EQ(value_or_throw(graph::replay(entries))->hash(), whole->program()->hash());

    const auto stopped = folder() / (name + "-stopped");
    {
        auto first = value_or_throw(Trainer::create(config, stopped));
        auto* raw = first.get();
        first->on_progress([raw](const Progress& p) {
            if (p.validation_loss && p.epoch == 3) raw->request_stop();
        });
        ASSERT_EQ(value_or_throw(first->run()), RunStatus::kStopped);
    }
    auto resumed = value_or_throw(Trainer::resume(config, stopped));
    ASSERT_EQ(value_or_throw(resumed->run()), RunStatus::kDone);
    EXPECT_EQ(resumed->program()->hash(), whole->program()->hash());
    EXPECT_TRUE(at::equal(host_values(*whole), host_values(*resumed)));
}

TEST(ImportedHost, AnImageClassifierGrowsAndResumesToTheSameBits) { grow(images(), "images"); }

TEST(ImportedHost, ATextModelGrowsAndResumesToTheSameBits) { grow(text(), "text"); }

TEST(ImportedHost, SaysWhyAModelDoesNotFitTheData) {
    const auto expect = [](const configs::EsperConfig& config, const std::string& words) {
        const auto made = Trainer::create(config, folder() / "refused");
        ASSERT_FALSE(made) << words;
        EXPECT_TRUE(made.error().is(TolariaError::kUnsupported)) << made.error().to_string();
        EXPECT_NE(made.error().message().find(words), std::string::npos)
            << made.error().to_string();
    };
    auto config = images();
    config.model.path = (folder() / "misfit.pt2").string();
    expect(config, "it takes f32[?, 6], the data gives f32[?, 3, 32, 32]");
    config = images();
    config.model.path = text().model.path;
    expect(config, "it takes i64[?, 16]");
    config = text();
    config.data.context = 17;
    expect(config, "data.context sets the second size");
}

}  // namespace
}  // namespace esper::tolaria
