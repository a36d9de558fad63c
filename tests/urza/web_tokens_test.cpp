#include "esper/services/urza/web_tokens.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "esper/base/files.h"
#include "esper/contracts/contract_error.h"
#include "esper/services/urza/api.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

namespace fs = std::filesystem;
using contracts::AccessRole;
using nlohmann::json;
using serving::Request;
using serving::Response;
using serving::TokenError;

const json kMade = json::parse(
    value_or_throw(read_file(std::string(ESPER_SOURCE_DIR) + "/tests/fixtures/tokens.json")));
const std::int64_t kNow = kMade["now"].get<std::int64_t>();

std::string base64url(std::string_view bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned bits = 0, count = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
    }
    if (count > 0) text += kDigits[bits << (6 - count) & 63];
    return text;
}

template <typename Bytes>
std::string text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Issuer : public ::testing::Test {
  protected:
    Issuer() {
        write(keys_of({"ours"}));
        issued_ = value_or_throw(WebTokens::open(options()));
        add_api(router_, *library_, own_, issued_.get());
    }
    fs::path file() const { return library_.path() / "issuer.json"; }
    void write(const json& keys) const {
        value_or_throw(write_file_atomic(file(), keys.dump()));
        ::chmod(file().c_str(), 0644);
    }
    json keys_of(const std::vector<std::string>& ids) const {
        json keys = json::array();
        for (const auto& id : ids)
            keys.push_back({{"kty", "OKP"},
                            {"crv", "Ed25519"},
                            {"kid", id},
                            {"x", base64url(text_of(pair_.open))}});
        return {{"keys", keys}};
    }
    WebTokens::Options options() const {
        return {file(), {kMade["issuer"], kMade["audience"]}, "role", &clock_};
    }
    json claims(const json& changes) const {
        json said = {{"iss", kMade["issuer"]},
                     {"aud", kMade["audience"]},
                     {"sub", "Ada"},
                     {"exp", kNow + 300},
                     {"iat", kNow}};
        said.update(changes);
        return said;
    }
    std::string token(const json& changes, const std::string& kid = "ours") const {
        const auto message = base64url(json{{"alg", "EdDSA"}, {"kid", kid}}.dump()) + "." +
                             base64url(claims(changes).dump());
        return message + "." + base64url(text_of(*execution::sign(pair_.secret, message)));
    }
    Response ask(const std::string& method, const std::string& target, const std::string& token,
                 const std::string& body = "") {
        Request request = *serving::parse_target(method, target);
        request.headers = {{"Authorization", "Bearer " + token},
                           {"Content-Type", "application/json"}};
        request.body = body;
        return router_.answer(request);
    }
    Response look(const std::string& token) { return ask("GET", "/api/v1/ledger/head", token); }
    static std::string error_of(const Response& response) {
        return json::parse(response.text()).value("error", "");
    }
    /// The path of an operation, of a kernel or a blueprint that is not there.
    static std::string path_of(const Operation& operation) {
        std::string path = operation.pattern;
        for (auto at = path.find('{'); at != std::string::npos; at = path.find('{'))
            path.replace(at, path.find('}') - at + 1, "x");
        return path;
    }

    esper::testing::SmallLibrary library_;
    ManualClock clock_{kNow * 1'000'000'000};
    execution::KeyPair pair_ = *execution::generate_key_pair();
    Tokens own_{library_.path() / "tokens"};
    std::unique_ptr<WebTokens> issued_;
    serving::Router router_;
};

TEST_F(Issuer, EveryOperationNeedsTheRoleThatTheTokenSays) {
    for (const auto& operation : operations(*library_))
        for (const auto role : {AccessRole::kResearcher, AccessRole::kOperator,
                                AccessRole::kCurator, AccessRole::kAdmin}) {
            const auto said = token({{"role", contracts::to_text(role)}});
            const int status = ask(operation.method, path_of(operation), said).status;
            EXPECT_EQ(status == 403, role < operation.least)
                << operation.pattern << " " << contracts::to_text(role) << " " << status;
            EXPECT_NE(status, 401) << operation.pattern;
            EXPECT_NE(status, 500) << operation.pattern;
        }
}

TEST_F(Issuer, EveryOperationRefusesEveryBadToken) {
    write(kMade["keys"]);
    int bad = 0;
    for (const auto& operation : operations(*library_))
        for (const auto& given : kMade["cases"]) {
            const auto response =
                ask(operation.method, path_of(operation), given["token"].get<std::string>());
            const bool is_good = given["says"] == "";
            EXPECT_EQ(response.status == 401, !is_good) << operation.pattern << given["name"];
            if (is_good) continue;
            ++bad;
            EXPECT_EQ(serving::field_of(response.headers, "www-authenticate"), "Bearer");
            // One part has no dot, and so might be a token of the library's own.
            const auto said = given["name"] == "one part" ? std::string("urza.UnknownToken")
                                                          : given["says"].get<std::string>();
            EXPECT_EQ(error_of(response), said) << given["name"];
        }
    EXPECT_GT(bad, 800);
    const auto metrics = router_.answer(*serving::parse_target("GET", "/metrics"));
    EXPECT_NE(metrics.text().find("esper_urza_refused_total{status=\"401\"} " +
                                  std::to_string(bad) + "\n"),
              std::string_view::npos)
        << metrics.text();
}

TEST_F(Issuer, TheSubjectStandsInTheLedger) {
    const auto curator = token({{"role", "curator"}});
    const auto added = ask("POST", "/api/v1/blueprints", curator,
                           *contracts::to_json(esper::testing::submission(64)));
    ASSERT_EQ(added.status, 201) << added.text();
    const auto who = kMade["issuer"].get<std::string>() + " Ada";
    EXPECT_EQ(json::parse(added.text())["created_by"], who);
    EXPECT_EQ(library_->ledger(0, 10)->back().actor, who);
    library_.add("kernel-1");
    ASSERT_TRUE(library_.validate("kernel-1"));
    EXPECT_EQ(ask("POST", "/api/v1/kernels/kernel-1/deprecate?reason=drifts", curator).status, 200);
    EXPECT_EQ(library_->ledger(0, 10)->back().action, "deprecate kernel: drifts (" + who + ")");
}

TEST_F(Issuer, NobodyIsTakenForWhoeverHasATokenOfTheLibrarysOwn) {
    const auto caller_of = [&](const std::string& token) {
        return json::parse(ask("GET", "/api/v1/caller", token).text()).value("name", "");
    };
    const auto own = *own_.add({"Ada", AccessRole::kCurator});
    EXPECT_EQ(caller_of(own), "Ada");
    const auto who = kMade["issuer"].get<std::string>() + " Ada";
    EXPECT_EQ(caller_of(token({{"role", "admin"}})), who);
    const auto posing = *own_.add({who, AccessRole::kAdmin});
    EXPECT_EQ(error_of(look(posing)), "urza.Conflict");
    EXPECT_EQ(look(posing).status, 401);
    // A long one keeps its subject and is another's only by chance.
    const std::string subject(80, 'a');
    const auto one = caller_of(token({{"role", "admin"}, {"sub", subject}}));
    EXPECT_TRUE(one.ends_with(" " + subject)) << one;
    EXPECT_LE(one.size(), 100u);
    const std::string longest(99, 'a');
    const auto first = caller_of(token({{"role", "admin"}, {"sub", "x" + longest}}));
    const auto second = caller_of(token({{"role", "admin"}, {"sub", "y" + longest}}));
    EXPECT_NE(first, second);
    EXPECT_TRUE(is_caller_name(first));
    const auto mimic = *own_.add({first, AccessRole::kAdmin});
    EXPECT_EQ(look(mimic).status, 401);
}

TEST_F(Issuer, TheKeysAreReadAgainWhenTheirFileChanges) {
    const auto old = token({{"role", "admin"}}), next = token({{"role", "admin"}}, "next");
    EXPECT_EQ(look(old).status, 200);
    EXPECT_EQ(error_of(look(next)), "token.UnknownKey");
    write(keys_of({"next"}));
    EXPECT_EQ(error_of(look(old)), "token.UnknownKey");
    EXPECT_EQ(look(next).status, 200);
    fs::remove(file());
    fs::create_symlink("elsewhere.json", file());  // as Kubernetes puts files there
    EXPECT_EQ(look(next).status, 503);
    value_or_throw(write_file_atomic(library_.path() / "elsewhere.json", keys_of({"ours"}).dump()));
    EXPECT_EQ(look(old).status, 200);
}

TEST_F(Issuer, ManyAskWhileTheKeysChange) {
    const auto good = token({{"role", "admin"}}), next = token({{"role", "admin"}}, "next");
    std::atomic<bool> over = false;
    std::atomic<int> taken = 0, others = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (!over)
                for (const auto& each : {good, next}) {
                    const auto caller = issued_->find(each);
                    if (caller)
                        ++taken;
                    else if (!caller.error().is(TokenError::kUnknownKey))
                        ++others;
                }
        });
    for (int i = 0; i < 30; ++i) write(keys_of({i % 2 == 0 ? "next" : "ours"}));
    while (taken < 100) std::this_thread::yield();
    over = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(others, 0);
}

TEST_F(Issuer, KeysThatCannotBeUsedShutOnlyTheIssuersCallersOut) {
    const auto mine = *own_.add({"Grace", AccessRole::kResearcher});
    const auto good = token({{"role", "admin"}});
    for (const char* text : {"", "{\"keys\":[", "{\"keys\":[]}"}) {
        value_or_throw(write_file_atomic(file(), text));
        const auto refused = look(good);
        EXPECT_EQ(refused.status, 503) << text;
        EXPECT_EQ(error_of(refused), "token.BadKeys") << text;
        EXPECT_EQ(look(mine).status, 200) << text;
    }
    write(keys_of({"ours"}));
    EXPECT_EQ(look(good).status, 200);
    ::chmod(file().c_str(), 0666);  // anybody could write a key of their own
    EXPECT_EQ(error_of(look(good)), "token.BadKeys");
    EXPECT_TRUE(WebTokens::open(options()).error().is(TokenError::kBadKeys));
}

TEST_F(Issuer, TheRoleIsWhereTheOptionsSay) {
    const auto status_with = [&](const std::string& claim, const json& said) {
        auto other = options();
        other.role_claim = claim;
        const auto issued = WebTokens::open(other);
        if (!issued) return std::string("none");
        const auto caller = (*issued)->find(token(said));
        return caller ? std::string(contracts::to_text(caller->role))
                      : std::string(caller.error().name());
    };
    EXPECT_EQ(status_with("role", {{"role", "operator"}}), "operator");
    EXPECT_EQ(status_with("roles", {{"roles", {"x", "researcher", "curator", 7}}}), "curator");
    EXPECT_EQ(status_with("/realm_access/roles", {{"realm_access", {{"roles", {"admin"}}}}}),
              "admin");
    EXPECT_EQ(status_with("https://example.com/role", {{"https://example.com/role", "admin"}}),
              "admin");
    for (const json& said : {json::object(), json{{"role", "king"}}, json{{"role", "Admin"}},
                             json{{"role", 3}}, json{{"role", json::array()}},
                             json{{"role", {{"admin", true}}}}, json{{"role", {{"admin"}}}}})
        EXPECT_EQ(status_with("role", said), "WrongRole") << said;
    EXPECT_EQ(status_with("/a~1b/~0c", {{"a/b", {{"~c", "admin"}}}}), "admin");
    for (const char* claim : {"/a/x", "/a/0", "/a/99999999999999999999", "/", "/b", "/a/"})
        EXPECT_EQ(status_with(claim, {{"a", {"admin"}}}), "WrongRole") << claim;
    EXPECT_EQ(status_with("", {{"role", "admin"}}), "none");
    EXPECT_EQ(look(token(json::object())).status, 403) << "known, but of no role";
}

TEST_F(Issuer, ASubjectIsAName) {
    const std::string longest(100, 'x');
    EXPECT_EQ(look(token({{"role", "admin"}, {"sub", longest}})).status, 200);
    for (const json& subject : {json(longest + "x"), json("a\nb"), json("  "), json("\x1b[31m")})
        EXPECT_EQ(error_of(look(token({{"role", "admin"}, {"sub", subject}}))), "token.Claims");
}

TEST_F(Issuer, WithoutAnIssuerItsTokensAreUnknown) {
    serving::Router alone;
    add_api(alone, *library_, own_);
    Request request = *serving::parse_target("GET", "/api/v1/ledger/head");
    request.headers = {{"Authorization", "Bearer " + token({{"role", "admin"}})}};
    const auto refused = alone.answer(request);
    EXPECT_EQ(refused.status, 401);
    EXPECT_NE(refused.text().find("--jwks"), std::string_view::npos);
    auto nameless = options();
    nameless.rules.audience = "";
    EXPECT_TRUE(WebTokens::open(nameless).error().is(UrzaError::kBadRequest));
}

TEST_F(Issuer, KeysThatAreNotUsedAreNamed) {
    auto keys = keys_of({"ours"});
    keys["keys"].push_back({{"kty", "EC"}, {"crv", "P-521"}, {"kid", "large"}});
    write(keys);
    const auto unused = issued_->unused();
    ASSERT_EQ(unused.size(), 1u);
    EXPECT_NE(unused[0].find("'large': expected"), std::string::npos) << unused[0];
}

}  // namespace
}  // namespace esper::urza
