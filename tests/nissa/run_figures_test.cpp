#include "esper/services/nissa/run_figures.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

void name_this_process(const std::filesystem::path& folder) {
    char host[256] = {};
    ASSERT_EQ(::gethostname(host, sizeof(host) - 1), 0);
    write(folder / "lock", std::to_string(::getpid()) + " " + host + "\n");
}

TEST(RunFigures, EachRuleIsOnAFigureThatThereIs) {
    for (const auto& rule : alert_rules())
        EXPECT_NE(std::ranges::find(run_figures(), rule.figure, &RunFigure::name),
                  run_figures().end())
            << rule.kind;
    const MemoryCourse memory;
    const nlohmann::json nothing = nlohmann::json::object();
    EXPECT_EQ(figures_of({RunState::kDone, 0, nothing, nothing, true, false, {}, memory}).size(),
              run_figures().size());
}

TEST(RunFigures, ARunOfHostileFieldsHasFigures) {
    const MemoryCourse memory;
    const auto hostile = nlohmann::json::parse(
        R"({"seeds":[1],"steps":"x","rollbacks":{},"kernels":{"refused":3,"seeds":[1,{"fault":2}]}})");
    const auto figures =
        figures_of({RunState::kRunning, 0, hostile, hostile, true, false, {}, memory});
    const nlohmann::json row = nlohmann::json::object();
    const auto alerts = alerts_of(figures, row, "run", {});
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_EQ(alerts[0].kind, "kernel");
}

TEST(MemoryCourse, SeesMemoryThatOnlyRises) {
    const TemporaryFolder above;
    name_this_process(above.path());
    MemoryCourse steady, rising;
    std::vector<std::vector<char>> leak;
    for (std::int64_t second = 0; second <= 1300; second += 10) {
        steady.look(above.path(), second * kSecond);
        EXPECT_EQ(steady.growth().has_value(), second >= 1200);
    }
    EXPECT_LT(*steady.growth(), 1.3);
    for (std::int64_t second = 0; second <= 1300; second += 10) {
        if (second % 100 == 0) leak.emplace_back(std::size_t{8} << 20, 'x');
        rising.look(above.path(), second * kSecond);
    }
    EXPECT_GT(*rising.growth(), 1);
    EXPECT_GT(*rising.bytes(), *steady.bytes() + 80e6);
}

TEST(MemoryCourse, AProcessThatIsNotNamedHasNone) {
    const TemporaryFolder above;
    MemoryCourse memory;
    memory.look(above.path(), 0);
    write(above / "lock", "1 another-machine\n");
    memory.look(above.path(), 60 * kSecond);
    EXPECT_FALSE(memory.bytes());
}

}  // namespace
}  // namespace esper::nissa
