#include "esper/services/urza/remote_library.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "esper/services/urza/wire.h"
#include "urza/conformance.h"
#include "urza/field_runs.h"
#include "urza/served_home.h"
#include "utils/tcp.h"

// A library behind a server: everything that a library does, and a server that is gone, slow, or
// lies.

namespace esper::urza {
namespace {

using contracts::AccessRole;
using esper::testing::ServedHome;
using esper::testing::SmallLibrary;
using esper::testing::submission;
using nlohmann::json;
using serving::Request;
using serving::Response;

std::unique_ptr<esper::testing::LibraryHome> served() { return std::make_unique<ServedHome>(); }

INSTANTIATE_TEST_SUITE_P(Remote, LibraryConformance,
                         ::testing::Values(Implementation{"remote", served}),
                         name_of_implementation);

constexpr Patience kLittle{std::chrono::milliseconds(300), std::chrono::milliseconds(400),
                           std::chrono::milliseconds(400)};

/// A server with one validated kernel.
class Remote : public ::testing::Test {
  protected:
    Remote() {
        library_.add("kernel-1");
        EXPECT_TRUE(library_.validate("kernel-1"));
    }
    ServedHome& home() { return dynamic_cast<ServedHome&>(library_.home()); }
    /// The server answers requests whose path ends so with the text that `changed` makes of it.
    void lie_at(const std::string& end, const std::function<std::string(std::string)>& changed) {
        home().lie([=](const Request& request, Response response) {
            if (request.path.ends_with(end))
                response.body =
                    std::make_shared<const std::string>(changed(std::string(response.text())));
            return response;
        });
    }
    void lie_in_json(const std::string& end, const std::function<void(json&)>& change) {
        lie_at(end, [=](const std::string& text) {
            json content = json::parse(text);
            change(content);
            return content.dump();
        });
    }
    SmallLibrary library_{std::make_unique<ServedHome>()};
};

TEST_F(Remote, AKernelThatTheServerExchangesIsNotTaken) {
    const std::string good = *library_->fetch("kernel-1");
    library_.add("kernel-2");
    ASSERT_TRUE(library_.validate("kernel-2", true, 0.5));
    std::string other = *library_->fetch("kernel-2");
    lie_at("/kernels/kernel-1/bundle", [&](const auto&) { return other; });
    EXPECT_TRUE(library_->fetch("kernel-1").error().is(UrzaError::kBadObject));
    const auto statements = home().behind().kernel("kernel-2");
    auto sent = *contracts::to_json(*statements_of(*statements));
    lie_at("/kernels/kernel-1/statements", [&](const auto&) { return sent; });
    EXPECT_TRUE(library_->kernel("kernel-1").error().is(UrzaError::kBadAnswer));
    home().lie({});
    EXPECT_EQ(*library_->fetch("kernel-1"), good);
}

TEST_F(Remote, EveryFlippedByteOfAnAnswerKeepsAKernelFromLoading) {
    const auto size = library_->fetch("kernel-1")->size();
    for (std::size_t at = 0; at < size; at += 7) {
        lie_at("/bundle", [at](std::string text) {
            text[at] = static_cast<char>(text[at] ^ 4);
            return text;
        });
        EXPECT_FALSE(library_.load("kernel-1")) << "byte " << at;
    }
    const auto offered = [&] {
        const auto offers = library_->offers(library_.ask());
        return offers && !offers->empty();
    };
    EXPECT_FALSE(!offered()) << "the bundle is not asked for";
    for (const char* part : {"manifest", "forge_key", "forge_signature", "verdict", "gauntlet_key",
                             "gauntlet_signature", "report"})
        for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{11}}) {
            lie_in_json("/offers", [&](json& list) {
                auto text = list["items"][0][part].get<std::string>();
                text[at] = text[at] == '1' ? '2' : '1';
                list["items"][0][part] = text;
            });
            EXPECT_FALSE(offered()) << part << " " << at;
        }
}

TEST_F(Remote, AVerdictByAnUnknownKeyOffersNothing) {
    const auto stranger = *execution::Signer::make(execution::KeyRole::kGauntlet,
                                                   execution::generate_key_pair()->secret);
    const auto sealed = [&](json& kernel) {
        const auto seal =
            *stranger.seal(execution::kVerdictType, kernel["verdict"].get<std::string>());
        kernel["gauntlet_key"] = seal.key;
        kernel["gauntlet_signature"] = execution::to_hex(seal.signature);
    };
    lie_in_json("/offers", [&](json& list) { sealed(list["items"][0]); });
    EXPECT_TRUE(library_->offers(library_.ask())->empty());
    lie_in_json("/statements", sealed);
    EXPECT_TRUE(library_->query({})->matching_kernels.empty());
    const auto reasons = *library_->why("kernel-1", {});
    EXPECT_EQ(reasons[3].what, "the gauntlet validated it");
    EXPECT_FALSE(reasons[3].holds);
    EXPECT_NE(reasons[3].why.find("trust.UnknownKey"), std::string::npos) << reasons[3].why;
    lie_in_json("/offers", [](json& list) {
        for (const char* part : {"verdict", "gauntlet_key", "gauntlet_signature", "report"})
            list["items"][0][part] = "";
    });
    EXPECT_TRUE(library_->offers(library_.ask())->empty()) << "VALIDATED by nobody";
}

TEST_F(Remote, ABlueprintIsTheProgramThatItsIdNames) {
    const auto id = *library_->add_blueprint(submission(64));
    const auto other = *library_->add_blueprint(submission(32));
    auto text = *contracts::to_json(*home().behind().blueprint(other));
    lie_at("/" + id, [&](const auto&) { return text; });
    EXPECT_TRUE(library_->blueprint(id).error().is(UrzaError::kBadAnswer));
    lie_in_json("/" + id, [&](json& blueprint) { blueprint["blueprint_id"] = other; });
    EXPECT_TRUE(library_->blueprint(id).error().is(UrzaError::kBadAnswer));
    lie_in_json("/blueprints", [](json& page) { std::swap(page["items"][0], page["items"][1]); });
    EXPECT_TRUE(library_->blueprints({}).error().is(UrzaError::kBadAnswer));
}

TEST_F(Remote, TheLedgersHeadIsBelievedForItsSealOnly) {
    const auto seen = *library_->head();
    EXPECT_EQ(seen.number, 3u);
    lie_in_json("/ledger/seal",
                [](json& head) { head["statement"] = R"({"hash":"00","number":1})"; });
    EXPECT_TRUE(library_->head().error().is(execution::KernelError::kBadSignature));
    EXPECT_EQ(library_->verify({})->size(), 1u);
    lie_in_json("/ledger", [](json& page) { page["items"][1]["actor"] = "nobody"; });
    EXPECT_TRUE(library_->verify({})->front().is(UrzaError::kBrokenLedger));
    lie_in_json("/ledger", [](json& page) { page["items"].erase(0); });
    EXPECT_TRUE(library_->verify({})->front().is(UrzaError::kBrokenLedger));
    lie_in_json("/v1/statements",
                [](json& page) { page["items"][0]["artifact"]["metadata"]["name"] = "another"; });
    EXPECT_TRUE(library_->verify({})->front().is(UrzaError::kBadRow));
    home().lie({});
    EXPECT_TRUE(library_->verify(seen)->empty());
    EXPECT_FALSE(library_->verify(LedgerHead{seen.number, std::string(64, '0')})->empty());
}

TEST_F(Remote, RubbishIsABadAnswer) {
    for (const std::string& rubbish :
         {std::string(), std::string("<html>hello</html>"), std::string("{\"items\": 3}"),
          std::string(200'000, '['), std::string("\xff\xfe\0x", 4), std::string("{}")}) {
        home().lie([&](const Request&, Response response) {
            response.body = std::make_shared<const std::string>(rubbish);
            return response;
        });
        const auto is_bad = [](const auto& result) {
            return !result && result.error().is(UrzaError::kBadAnswer);
        };
        EXPECT_TRUE(is_bad(library_->kernel("kernel-1"))) << rubbish.substr(0, 20);
        EXPECT_TRUE(is_bad(library_->kernels({})));
        EXPECT_TRUE(is_bad(library_->blueprints({})));
        EXPECT_TRUE(is_bad(library_->ledger(0, 10)));
        EXPECT_TRUE(is_bad(library_->head()));
        EXPECT_TRUE(is_bad(library_->measured_candidates()));
        EXPECT_TRUE(is_bad(library_->reports("")));
    }
}

TEST_F(Remote, AServerThatMovedOrFailsIsNamedAndNotFollowed) {
    std::atomic<int> asked{0};
    home().lie([&](const Request&, Response response) {
        ++asked;
        response.status = 302;
        response.headers.emplace_back("Location", "http://127.0.0.1:1/");
        return response;
    });
    const auto moved = library_->head();
    EXPECT_TRUE(moved.error().is(UrzaError::kBadAnswer)) << moved.error().to_string();
    EXPECT_EQ(asked, 1);
    home().lie([&](const Request&, const Response&) {
        return ++asked == 2 ? serving::problem(503, "busy") : serving::json_content({});
    });
    EXPECT_FALSE(library_->head().error().is(UrzaError::kUnreachable)) << "read twice";
    EXPECT_EQ(asked, 3);
    home().lie([&](const Request&, const Response&) { return serving::problem(503, "busy"); });
    EXPECT_TRUE(library_->head().error().is(UrzaError::kUnreachable));
}

TEST_F(Remote, AChangeWhoseAnswerWasLostIsMadeOnce) {
    std::atomic<bool> lost{false};
    const auto lose = [&](const std::string& end) {
        lost = false;
        home().lie([&lost, end](const Request& request, Response response) {
            if (request.method == "POST" && request.path.ends_with(end) && !lost.exchange(true))
                return serving::problem(503, "the answer is lost");
            return response;
        });
    };
    const auto entries = [&] { return home().behind().head()->number; };
    lose("/blueprints");
    const auto branch = *library_->add_blueprint(submission(16));
    const auto forge = *library_.keys().signer(execution::KeyRole::kForge);
    lose("/kernels");
    EXPECT_EQ(*library_->add_kernel(SmallLibrary::new_kernel("kernel-2", branch, forge)),
              "kernel-2");
    const auto before = entries();
    lose("/verdict");
    EXPECT_TRUE(library_.validate("kernel-2"));
    EXPECT_EQ(entries(), before + 1);
    lose("/runs");
    EXPECT_TRUE(*library_->file_run(esper::testing::field_run("run-1", branch, 1, 2)));
    EXPECT_EQ(entries(), before + 2);
    lose("/deprecate");
    EXPECT_TRUE(library_->deprecate("kernel-2", AccessRole::kCurator, "a reason, with ? and &"));
    EXPECT_EQ(entries(), before + 3);
    EXPECT_NE(home().behind().ledger(before + 2, 1)->front().action.find("a reason, with ? and &"),
              std::string::npos);
}

TEST(RemoteRoles, AResearcherReadsAnOperatorFilesAndACuratorAdds) {
    SmallLibrary reader(std::make_unique<ServedHome>(AccessRole::kResearcher));
    auto& behind = dynamic_cast<ServedHome&>(reader.home()).behind();
    const auto id = *behind.add_blueprint(submission(64));
    EXPECT_TRUE(reader->blueprint(id));
    EXPECT_EQ(*reader->add_blueprint(submission(64)), id) << "nothing is to be added";
    EXPECT_TRUE(reader->add_blueprint(submission(32)).error().is(UrzaError::kDenied));
    EXPECT_TRUE(reader->file_run(esper::testing::field_run("run-1", id, 1, 1))
                    .error()
                    .is(UrzaError::kDenied));
    EXPECT_TRUE(reader->may_change().error().is(UrzaError::kReadOnly));
    SmallLibrary trainer(std::make_unique<ServedHome>(AccessRole::kOperator));
    const auto there =
        *dynamic_cast<ServedHome&>(trainer.home()).behind().add_blueprint(submission(64));
    EXPECT_TRUE(*trainer->file_run(esper::testing::field_run("run-1", there, 1, 1)));
    EXPECT_TRUE(trainer->may_change().error().is(UrzaError::kReadOnly));
    EXPECT_TRUE(trainer->collect({}).error().is(UrzaError::kDenied));
    SmallLibrary forge(std::make_unique<ServedHome>(AccessRole::kCurator));
    EXPECT_TRUE(forge->may_change());
    EXPECT_EQ(forge.add("kernel-1"), "kernel-1");
}

TEST(RemoteToken, AnUnknownTokenIsDenied) {
    ServedHome home;
    RemoteLibrary library({home.server().address(), "esper_guessed", ""}, *home.keys().ring(), {});
    EXPECT_TRUE(library.head().error().is(UrzaError::kDenied));
    EXPECT_TRUE(library.may_change().error().is(UrzaError::kDenied));
}

TEST(RemoteToken, IsShownToNoProxyInTheClear) {
    const test::TcpServer proxy([](test::Connection& c) { c.read_some(); });
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    SmallLibrary library(std::make_unique<ServedHome>());
    EXPECT_TRUE(library->head());
    ::unsetenv("http_proxy");
    EXPECT_EQ(proxy.connections(), 0);
}

TEST(RemoteLimits, AnObjectThatIsTooLargeIsNotSent) {
    SmallLibrary library(std::make_unique<ServedHome>());
    const auto branch = *library->add_blueprint(submission(64));
    const auto forge = *library.keys().signer(execution::KeyRole::kForge);
    const std::string object(kMostObject + 1, 'x');
    EXPECT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge, object))
                    .error()
                    .is(UrzaError::kTooLarge));
}

TEST(RemoteLimits, BadBase64IsRefusedByTheServer) {
    KernelHandIn sent;
    sent.forge_signature = std::string(128, '0');
    for (const char* object : {"ab=c", "abc", "a*cd"}) {
        sent.object = object;
        EXPECT_TRUE(kernel_of(sent).error().is(UrzaError::kBadRequest)) << object;
    }
}

/// A library at a server that does with a connection what `serve` does.
std::unique_ptr<RemoteLibrary> library_at(int port, RemoteLibrary::Options options = {kLittle}) {
    static const ServedHome home;
    return std::make_unique<RemoteLibrary>(
        ServerAddress{"http://127.0.0.1:" + std::to_string(port), "a-token", ""},
        *home.keys().ring(), std::move(options));
}

TEST(RemoteFaults, AServerThatIsGoneSlowOrEndlessCostsNoMoreThanIsSaid) {
    const auto took = [](const std::function<void()>& act) {
        const auto begun = std::chrono::steady_clock::now();
        act();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    };
    const auto gone = library_at(test::closed_port());
    EXPECT_LT(took([&] { EXPECT_TRUE(gone->head().error().is(UrzaError::kUnreachable)); }), 1);
    const test::TcpServer silent([](test::Connection& c) {
        while (!c.read_some().empty()) {
        }
    });
    const auto slow = library_at(silent.port());
    EXPECT_LT(took([&] { EXPECT_TRUE(slow->head().error().is(UrzaError::kUnreachable)); }), 2);
    EXPECT_EQ(silent.connections(), 2) << "one retry";
    const test::TcpServer endless([](test::Connection& c) {
        c.read_some();
        c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const std::string piece = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
        while (c.write(piece)) {
        }
    });
    const auto flooded = library_at(endless.port());
    const auto drowned = flooded->head();
    EXPECT_TRUE(drowned.error().is(UrzaError::kBadAnswer) ||
                drowned.error().is(UrzaError::kUnreachable))
        << drowned.error().to_string();
    const test::TcpServer liar([](test::Connection& c) {
        c.read_some();
        c.write("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{");
    });
    EXPECT_TRUE(library_at(liar.port())->head().error().is(UrzaError::kUnreachable));
}

TEST(RemoteFaults, WhoNoLongerWantsAnAnswerNeedNotWaitForIt) {
    const test::TcpServer silent([](test::Connection& c) {
        while (!c.read_some().empty()) {
        }
    });
    std::atomic<bool> over{false};
    const auto library =
        library_at(silent.port(), {.patience = {}, .give_up = [&] { return over.load(); }});
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        over = true;
    });
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(library->head().error().is(UrzaError::kUnreachable));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
    end.join();
}

}  // namespace
}  // namespace esper::urza
