#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/temporary_folder.h"
#include "esper/services/supply/library_supply.h"
#include "esper/services/tezzeret/toolchain.h"
#include "esper/services/urza/library.h"
#include "tolaria/small_runs.h"

namespace esper::supply {

using tolaria::Trainer;
namespace runs = tolaria::testing_runs;

/// A library into which the forge's own process has put the kernels of one run, once for all tests.
class ForgedLibrary : public testing::Test {
  protected:
    static std::filesystem::path esper() {
        return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "esper";
    }
    static configs::EsperConfig config() {
        auto config = runs::growing();
        config.growth.kernels = true;
        config.growth.blueprints = {"low_rank", "bottleneck_mlp"};
        return config;
    }
    static void SetUpTestSuite() {
        forged_ = new TemporaryFolder;
        if (tezzeret::find_compilers().empty() || !std::filesystem::exists(esper())) return;
        const auto supply = library_supply({forged().string(), esper()});
        const runs::Folder folder("forging");
        const auto trainer =
            value_or_throw(Trainer::create(config(), folder.path, system_clock(), supply));
        for (int i = 0; i < 1200 && !supply->work().finished; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        work_ = supply->work();
    }
    static void TearDownTestSuite() {
        delete forged_;
        forged_ = nullptr;
    }
    static std::filesystem::path forged() { return *forged_ / "library"; }

    void SetUp() override {
        if (tezzeret::find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
        if (!std::filesystem::exists(esper())) GTEST_SKIP() << "the program is not built";
        // Its process has the lowest priority: beside a full load it may take minutes.
        if (!work_.finished) GTEST_SKIP() << "the forge did not come to an end in a minute here";
        std::filesystem::copy(forged(), library(), std::filesystem::copy_options::recursive);
    }
    /// A copy of it that the test may spoil.
    std::filesystem::path library() const { return own_ / "library"; }
    /// What a run is given; nothing is compiled any more.
    std::shared_ptr<ports::KernelSupply> supply() const {
        return library_supply({library().string(), ""});
    }

    static ports::KernelWork work_;

  private:
    static TemporaryFolder* forged_;
    TemporaryFolder own_;
};

}  // namespace esper::supply
