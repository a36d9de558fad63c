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
using nlohmann::json;
using tolaria::RunStatus;

class RunKernels : public ForgedLibrary {
  protected:
    std::unique_ptr<Trainer> start_with(const fs::path& folder) const {
        return value_or_throw(Trainer::create(config(), folder, system_clock(), supply()));
    }
    std::unique_ptr<Trainer> resume_with(const fs::path& folder) const {
        return value_or_throw(Trainer::resume(config(), folder, system_clock(), supply()));
    }
    /// The step at which the first seed is in the Program, and a few more.
    static constexpr std::int64_t kWithSeeds = 20;

    /// Ends a run where a kernel is in use; its folder stays.
    void stop_with_a_kernel(const fs::path& folder) const {
        const auto trainer = start_with(folder);
        trainer->stop_after(kWithSeeds);
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
        ASSERT_FALSE(trainer->growth()->kernels().in_use().empty());
    }
    std::vector<fs::path> objects() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::recursive_directory_iterator(library() / "objects"))
            if (entry.is_regular_file()) found.push_back(entry.path());
        return found;
    }
};

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

TEST_F(RunKernels, GiveTheLossesOfTheOperatorsWithinRounding) {
    const Folder with("with-kernels");
    const Folder without("without-kernels");
    ASSERT_EQ(value_or_throw(start_with(with.path)->run()), RunStatus::kDone);
    ASSERT_EQ(value_or_throw(start(config(), without.path)->run()), RunStatus::kDone);
    const auto kernels = run_json(with.path).at("kernels");
    EXPECT_GE(kernels.at("seeds_with_kernel"), 1) << kernels;
    for (const auto& event : events_of(with.path, "kernel")) {
        if (event.at("runs") != "kernel") continue;
        EXPECT_GT(event.at("gain_low"), 1.03);
        EXPECT_EQ(event.at("object").get<std::string>().size(), 64U);
    }
    EXPECT_TRUE(events_of(with.path, "kernel_fault").empty());
    EXPECT_EQ(run_json(without.path).at("kernels").at("seeds_with_kernel"), 0);
    const auto one = losses_of(with.path);
    const auto two = losses_of(without.path);
    ASSERT_EQ(one.size(), two.size());
    bool same_bits = true;
    for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_NEAR(one[i], two[i], 2e-3) << "epoch " << i + 1;
        same_bits = same_bits && one[i] == two[i];
    }
    EXPECT_FALSE(same_bits) << "no kernel has computed anything";
}

TEST_F(RunKernels, TwoRunsWithOneLibraryGiveTheSameBits) {
    const Folder one("one");
    const Folder two("two");
    ASSERT_EQ(value_or_throw(start_with(one.path)->run()), RunStatus::kDone);
    ASSERT_EQ(value_or_throw(start_with(two.path)->run()), RunStatus::kDone);
    expect_same_run(one.path, two.path);
}

TEST_F(RunKernels, AResumedRunUsesTheSameKernelsToTheBit) {
    const Folder whole("whole");
    const Folder pieces("pieces");
    ASSERT_EQ(value_or_throw(start_with(whole.path)->run()), RunStatus::kDone);
    auto trainer = start_with(pieces.path);
    for (const auto step : steps_in_each_state(whole.path, 60)) {
        trainer->stop_after(step - trainer->step());
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
        trainer.reset();
        trainer = resume_with(pieces.path);
    }
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
}

TEST_F(RunKernels, AnAlteredObjectIsRefusedByNameAndTheRunGoesOn) {
    const Folder folder("altered");
    stop_with_a_kernel(folder.path);
    ASSERT_FALSE(objects().empty());
    for (const auto& object : objects()) {
        fs::permissions(object, fs::perms::owner_write, fs::perm_options::add);
        std::fstream file(object, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(1000);
        file.put('!');
    }
    const auto trainer = resume_with(folder.path);
    EXPECT_TRUE(trainer->growth()->kernels().in_use().empty());
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto faults = events_of(folder.path, "kernel_fault");
    ASSERT_FALSE(faults.empty());
    const auto reason = faults.front().at("reason").get<std::string>();
    EXPECT_NE(reason.find("urza.BadObject"), std::string::npos) << reason;
    // Seeds that germinate after that are offered nothing either.
    const Folder fresh("fresh");
    ASSERT_EQ(value_or_throw(start_with(fresh.path)->run()), RunStatus::kDone);
    const auto kernels = run_json(fresh.path).at("kernels");
    EXPECT_EQ(kernels.at("seeds_with_kernel"), 0) << kernels;
    EXPECT_FALSE(kernels.at("refused").empty());
}

TEST_F(RunKernels, AResumeWithoutTheLibraryGoesOnWithTheOperatorsAndSaysSo) {
    const Folder folder("gone");
    stop_with_a_kernel(folder.path);
    fs::remove_all(library());
    auto trainer = resume_with(folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_FALSE(events_of(folder.path, "kernel_fault").empty());
    bool said = false;
    const auto seeds = run_json(folder.path).at("kernels").at("seeds");
    for (const auto& seed : seeds) said = said || seed.contains("fault");
    EXPECT_TRUE(said);
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
