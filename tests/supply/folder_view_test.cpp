// A library in a database that does not answer, at the start of a run or later.

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "esper/base/fault_points.h"
#include "esper/services/supply/library_supply.h"
#include "urza/postgres_server.h"

namespace esper::supply {
namespace {

using esper::testing::PostgresHome;
using esper::testing::PostgresServer;

constexpr const char* kNone = "there is no kernel for it";

class DatabaseView : public ::testing::Test {
  protected:
    void SetUp() override {
        if (const auto why = PostgresHome::missing(); !why.empty()) GTEST_SKIP() << why;
        home_ = std::make_unique<PostgresHome>();
        value_or_throw(home_->open());
        ::setenv("ESPER_KEYS", home_->keys().path().c_str(), 1);
        supply_ = library_supply({home_->address(), ""});
        need_.branch = std::string(64, '0');
        need_.precision = "fp32";
        need_.sample = {64};
    }
    void TearDown() override {
        if (home_) come_back();
        supply_.reset();
        ::unsetenv("ESPER_KEYS");
    }
    void vanish() {
        ASSERT_TRUE(FaultPoints::arm("urza.no_connection@1+"));
        PostgresServer::instance().stop();
        is_gone_ = true;
    }
    void come_back() {
        FaultPoints::disarm_all();
        if (std::exchange(is_gone_, false)) PostgresServer::instance().start();
    }
    std::string why() { return supply_->offer(need_).why; }
    void expect_one_question() {
        const auto first = why();
        EXPECT_NE(first.find("postgresql://"), std::string::npos) << first;
        const auto asked = FaultPoints::passes("urza.no_connection");
        EXPECT_GT(asked, 0u);
        for (int seed = 0; seed < 5; ++seed) EXPECT_EQ(why(), first);
        EXPECT_EQ(supply_->want({}), first);
        EXPECT_EQ(FaultPoints::passes("urza.no_connection"), asked) << "each seed asked again";
    }
    void expect_an_answer_soon() {
        for (int i = 0; i < 400 && why() != kNone; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(25));
        EXPECT_EQ(why(), kNone);
    }

    std::unique_ptr<PostgresHome> home_;
    std::shared_ptr<ports::KernelSupply> supply_;
    ports::KernelNeed need_;
    bool is_gone_ = false;
};

TEST_F(DatabaseView, OneThatVanishesIsAskedOnceAndUsedWhenItIsBack) {
    supply_->want({need_});
    EXPECT_EQ(why(), kNone);
    vanish();
    expect_one_question();
    come_back();
    expect_an_answer_soon();
    EXPECT_NE(supply_->want({}).find("no forge"), std::string::npos) << supply_->want({});
}

TEST_F(DatabaseView, OneThatIsGoneAtTheStartIsUsedWhenItComes) {
    vanish();
    EXPECT_NE(supply_->want({need_}).find("postgresql://"), std::string::npos);
    expect_one_question();
    come_back();
    expect_an_answer_soon();
    EXPECT_NE(supply_->want({}).find("no forge"), std::string::npos) << supply_->want({});
}

}  // namespace
}  // namespace esper::supply
