// Runs whose library is a server: its kernels come from there, and a server that is gone, slow, or
// lies, costs a run nothing but the kernels.

#include <gtest/gtest.h>

#include <cstdlib>

#include "esper/services/serving/http_server.h"
#include "esper/services/urza/api.h"
#include "supply/forged_library.h"
#include "tolaria/resumed_runs.h"
#include "utils/tcp.h"

namespace esper::supply {
namespace {

using namespace tolaria::testing_runs;
using nlohmann::json;
using tolaria::RunStatus;

class ServerSupply : public ForgedLibrary {
  protected:
    void SetUp() override {
        ForgedLibrary::SetUp();
        if (IsSkipped()) return;
        kept_ = value_or_throw(urza::open_library(library().string()));
        tokens_ = std::make_unique<urza::Tokens>(library() / "tokens");
        const auto token =
            value_or_throw(tokens_->add({"a run", contracts::AccessRole::kResearcher}));
        honest_ = std::make_shared<serving::Router>();
        urza::add_api(*honest_, *kept_, *tokens_);
        ::setenv("ESPER_LIBRARY_TOKEN", token.c_str(), 1);
        ::setenv("ESPER_KEYS", (library() / "keys").c_str(), 1);
    }
    void TearDown() override {
        ::unsetenv("ESPER_LIBRARY_TOKEN");
        ::unsetenv("ESPER_KEYS");
    }
    void serve(std::shared_ptr<const serving::Router> router) {
        server_ = value_or_throw(serving::HttpServer::start(std::move(router), {}));
    }
    /// The run has heard of everything that the server has.
    static void wait_for(ports::KernelSupply& supply) {
        for (int i = 0; i < 400 && !supply.want({}).empty(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(25));
        ASSERT_EQ(supply.want({}), "");
        ASSERT_NE(supply.ledger_head(), "");
    }
    static json kernels_of(const fs::path& folder) { return run_json(folder).at("kernels"); }

    std::unique_ptr<urza::Library> kept_;
    std::unique_ptr<urza::Tokens> tokens_;
    std::shared_ptr<serving::Router> honest_;
    std::unique_ptr<serving::HttpServer> server_;
};

TEST_F(ServerSupply, ARunTakesTheKernelsOfAServerAndGoesOnWhenThatEnds) {
    serve(honest_);
    const Folder folder("from-a-server");
    const auto supply = library_supply({server_->address(), ""});
    const auto trainer =
        value_or_throw(Trainer::create(config(), folder.path, system_clock(), supply));
    wait_for(*supply);
    EXPECT_EQ(supply->work().asked, 0) << "everything is known there";
    server_->stop();
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto kernels = kernels_of(folder.path);
    EXPECT_GE(kernels.at("seeds_with_kernel"), 1) << kernels;
    EXPECT_NE(kernels.at("library_head"), "");

    const Folder alone("from-a-folder");
    const auto local = value_or_throw(
        Trainer::create(config(), alone.path, system_clock(), ForgedLibrary::supply()));
    ASSERT_EQ(value_or_throw(local->run()), RunStatus::kDone);
    EXPECT_EQ(kernels_of(alone.path).at("seeds_with_kernel"), kernels.at("seeds_with_kernel"));
    EXPECT_EQ(run_json(alone.path).at("program_sha256"),
              run_json(folder.path).at("program_sha256"));
    const auto one = metrics_of(folder.path), two = metrics_of(alone.path);
    ASSERT_EQ(one.size(), two.size());
    for (std::size_t i = 0; i < one.size(); ++i)
        EXPECT_EQ(one[i].at("val_loss"), two[i].at("val_loss")) << "epoch " << i + 1;
}

TEST_F(ServerSupply, AResumedRunGetsItsKernelFromTheServerAgain) {
    serve(honest_);
    const Folder folder("resumed");
    {
        const auto supply = library_supply({server_->address(), ""});
        const auto trainer =
            value_or_throw(Trainer::create(config(), folder.path, system_clock(), supply));
        wait_for(*supply);
        trainer->stop_after(20);
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
        ASSERT_FALSE(trainer->growth()->kernels().in_use().empty());
    }
    const auto again = value_or_throw(Trainer::resume(config(), folder.path, system_clock(),
                                                      library_supply({server_->address(), ""})));
    EXPECT_FALSE(again->growth()->kernels().in_use().empty());
    server_->stop();
    ASSERT_EQ(value_or_throw(again->run()), RunStatus::kDone);
}

TEST_F(ServerSupply, ALieIsRefusedByNameAndTheOperatorsRunTheSeeds) {
    auto lying = std::make_shared<serving::Router>();
    for (const auto& route : honest_->routes())
        lying->add(
            route.method, route.pattern,
            [route](const serving::Request& request) {
                auto response = route.handler(request);
                if (!request.path.ends_with("/bundle")) return response;
                auto bytes = std::string(response.text());
                bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
                response.body = std::make_shared<const std::string>(std::move(bytes));
                return response;
            },
            route.most_body);
    serve(lying);
    const Folder folder("lied-to");
    const auto supply = library_supply({server_->address(), ""});
    const auto trainer =
        value_or_throw(Trainer::create(config(), folder.path, system_clock(), supply));
    wait_for(*supply);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto kernels = kernels_of(folder.path);
    EXPECT_EQ(kernels.at("seeds_with_kernel"), 0);
    ASSERT_FALSE(kernels.at("refused").empty());
    EXPECT_NE(kernels.at("refused")[0].get<std::string>().find("urza.BadObject"), std::string::npos)
        << kernels.at("refused");
}

TEST_F(ServerSupply, NoCallWaitsForAServerThatSaysNothing) {
    const test::TcpServer silent([](test::Connection& c) {
        while (!c.read_some().empty()) {
        }
    });
    for (const int port : {silent.port(), test::closed_port()}) {
        const auto address = "http://127.0.0.1:" + std::to_string(port);
        const auto begun = std::chrono::steady_clock::now();
        {
            const auto supply = library_supply({address, ""});
            ports::KernelNeed need;
            need.branch = std::string(64, '0');
            need.precision = "fp32";
            need.sample = {64};
            EXPECT_EQ(supply->want({need}), "");
            const auto answer = supply->offer(need);
            EXPECT_FALSE(answer.kernel);
            EXPECT_NE(answer.why.find(address), std::string::npos) << answer.why;
            EXPECT_TRUE(supply->past_candidates("gpt").empty());
            EXPECT_EQ(supply->ledger_head(), "");
            EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(500));
            EXPECT_NE(supply->want({}).find(address), std::string::npos);
        }
        EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4))
            << "the end of a run need not wait either";
    }
}

TEST_F(ServerSupply, WithoutATokenTheRunSaysSo) {
    ::unsetenv("ESPER_LIBRARY_TOKEN");
    const auto supply = library_supply({"http://127.0.0.1:1", ""});
    EXPECT_NE(supply->want({ports::KernelNeed{}}).find("ESPER_LIBRARY_TOKEN_FILE"),
              std::string::npos);
}

}  // namespace
}  // namespace esper::supply
