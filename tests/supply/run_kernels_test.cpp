// Training runs whose seeds run native kernels: real kernels, compiled by the forge's process,
// tried by the gauntlet, and taken from a library.

#include <cmath>
#include <fstream>

#include "esper/services/supply/store_kernel.h"
#include "esper/services/tezzeret/forge.h"
#include "supply/forged_library.h"
#include "tolaria/resumed_runs.h"

namespace esper::supply {

TemporaryFolder* ForgedLibrary::forged_ = nullptr;
ports::KernelWork ForgedLibrary::work_;

namespace {

using namespace tolaria::testing_runs;
using tolaria::RunStatus;

class RunKernels : public ForgedLibrary {};

std::vector<double> losses_of(const fs::path& folder) {
    std::vector<double> losses;
    for (const auto& row : metrics_of(folder)) losses.push_back(std::stod(row.at("val_loss")));
    return losses;
}

TEST_F(RunKernels, TheForgeFillsTheLibraryBesideTheRun) {
    EXPECT_EQ(work_.asked, 2);
    EXPECT_EQ(work_.faster + work_.not_faster, 2);
    EXPECT_EQ(work_.failed, 0);
    const auto library = value_or_throw(urza::open_library(this->library().string()));
    EXPECT_TRUE(value_or_throw(library->verify({})).empty());
    // A second run finds everything known and orders nothing.
    const Folder folder("again");
    const auto again = supply();
    const auto trainer =
        value_or_throw(Trainer::create(config(), folder.path, system_clock(), again));
    EXPECT_EQ(again->work().asked, 0);
}

TEST_F(RunKernels, ALibraryThatCannotBeOpenedLeavesTheRunWithOperators) {
    const Folder folder("unopened");
    std::ofstream(folder.above / "file") << "no folder";
    const auto closed = library_supply({(folder.above / "file").string(), esper()});
    const auto trainer =
        value_or_throw(Trainer::create(config(), folder.path, system_clock(), closed));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const Folder plain("plain");
    ASSERT_EQ(value_or_throw(start(config(), plain.path)->run()), RunStatus::kDone);
    EXPECT_EQ(losses_of(folder.path), losses_of(plain.path)) << "operators, to the bit";
    const auto kernels = run_json(folder.path).at("kernels");
    EXPECT_EQ(kernels.at("seeds_with_kernel"), 0);
    EXPECT_NE(kernels.at("unavailable"), "");
    for (const auto& event : events_of(folder.path, "kernel"))
        EXPECT_EQ(event.at("runs"), "operators");
}

TEST_F(RunKernels, SwitchedOffTheyChangeNoBitAndTheLibraryIsNotTouched) {
    const Folder folder("off");
    auto off = config();
    off.growth.kernels = false;
    const auto unused = library_supply({(folder.above / "library").string(), esper()});
    ASSERT_EQ(value_or_throw(
                  value_or_throw(Trainer::create(off, folder.path, system_clock(), unused))->run()),
              RunStatus::kDone);
    EXPECT_FALSE(fs::exists(folder.above / "library"));
    const Folder plain("plain-off");
    ASSERT_EQ(value_or_throw(start(config(), plain.path)->run()), RunStatus::kDone);
    EXPECT_EQ(losses_of(folder.path), losses_of(plain.path));
}

}  // namespace
}  // namespace esper::supply
