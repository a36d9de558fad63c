#include "esper/services/nissa/run_groups.h"

#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

namespace esper::nissa {
namespace {

using nlohmann::json;

class RunGroups : public testing::Test {
  protected:
    void run(const json& settings, const std::string& data = "d", int parameters = 10) {
        rows_.push_back({{"task", "next_token"}, {"parameters_initial", parameters}});
        settings_.push_back(settings);
        data_.push_back(data);
    }
    std::vector<RunFacts> facts() const {
        std::vector<RunFacts> all;
        for (std::size_t i = 0; i < rows_.size(); ++i)
            all.push_back({rows_[i], settings_[i], data_[i]});
        return all;
    }
    using Groups = std::vector<std::vector<std::size_t>>;

  private:
    std::deque<json> rows_, settings_;
    std::deque<std::string> data_;
};

TEST_F(RunGroups, RunsThatDifferBySeedAndNameAloneAreOneGroup) {
    run({{"run.seed", "0"}, {"run.name", "a"}, {"model.width", "16"}});
    run({{"run.seed", "0"}, {"run.name", "b"}, {"model.width", "32"}});
    run({{"run.seed", "1"}, {"run.name", "c"}, {"model.width", "16"}});
    EXPECT_EQ(group_by_seed(facts()), (Groups{{0, 2}, {1}}));
    EXPECT_EQ(differing_keys(facts()), (std::vector<std::string>{"model.width", "run.seed"}));
}

TEST_F(RunGroups, OtherDataOrAnotherFirstNetworkIsAnotherGroup) {
    run({{"run.seed", "0"}});
    run({{"run.seed", "1"}}, "other data");
    run({{"run.seed", "2"}}, "d", 11);
    EXPECT_EQ(group_by_seed(facts()), (Groups{{0}, {1}, {2}}));
}

TEST_F(RunGroups, AKeyThatOneRunDoesNotHaveDiffers) {
    run({{"run.seed", "0"}, {"optimization.ema", "0.9"}});
    run({{"run.seed", "0"}});
    EXPECT_EQ(differing_keys(facts()), (std::vector<std::string>{"optimization.ema"}));
}

// A stranger's config.yaml may hold anything under a key.
TEST_F(RunGroups, SettingsThatAreNoTextsDoNoHarm) {
    run({{"run.seed", "0"}, {"model.width", "a\xff"}});
    run({{"run.seed", "0"}, {"model.width", "b"}});
    EXPECT_EQ(group_by_seed(facts()), (Groups{{0}, {1}}));
}

}  // namespace
}  // namespace esper::nissa
