#include "esper/services/urza/api.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "esper/services/urza/http_answers.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

using contracts::AccessRole;
using esper::testing::SmallLibrary;
using nlohmann::json;
using serving::Request;
using serving::Response;

class Api : public ::testing::Test {
  protected:
    Api() {
        for (const auto role : {AccessRole::kResearcher, AccessRole::kOperator,
                                AccessRole::kCurator, AccessRole::kAdmin})
            secret_[role] = *tokens_.add({std::string(contracts::to_text(role)), role});
        add_api(router_, *library_, tokens_);
    }
    Response ask(const std::string& method, const std::string& target, AccessRole role,
                 const std::string& body = "", serving::Fields headers = {}) {
        Request request = *serving::parse_target(method, target);
        request.headers = std::move(headers);
        request.headers.emplace_back("Authorization", "Bearer " + secret_[role]);
        request.headers.emplace_back("Content-Type", "application/json");
        request.body = body;
        return router_.answer(request);
    }
    json get(const std::string& target) {
        const Response response = ask("GET", target, AccessRole::kResearcher);
        EXPECT_EQ(response.status, 200) << response.text();
        return json::parse(response.text());
    }
    static std::string submitted(int width) {
        return *contracts::to_json(esper::testing::submission(width));
    }

    SmallLibrary library_;
    Tokens tokens_{library_.path() / "tokens"};
    std::map<AccessRole, std::string> secret_;
    serving::Router router_;
};

TEST_F(Api, EveryOperationNeedsATokenOfItsRole) {
    for (const auto& operation : operations(*library_)) {
        std::string path = operation.pattern;
        if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, "x");
        Request request = *serving::parse_target(operation.method, path);
        EXPECT_EQ(router_.answer(request).status, 401) << path;
        request.headers = {{"Authorization", "Bearer esper_guessed"}};
        const Response wrong = router_.answer(request);
        EXPECT_EQ(wrong.status, 401) << path;
        EXPECT_EQ(serving::field_of(wrong.headers, "www-authenticate"), "Bearer");
        for (const auto& [role, token] : secret_) {
            const int status = ask(operation.method, path, role).status;
            EXPECT_EQ(status == 403, role < operation.least)
                << path << " " << contracts::to_text(role) << " " << status;
            EXPECT_NE(status, 401);
            EXPECT_NE(status, 500);
        }
    }
}

TEST_F(Api, TheSchemesNameIsTakenInAnyCase) {
    for (const char* scheme : {"Bearer ", "bearer ", "BEARER  "}) {
        Request request = *serving::parse_target("GET", "/api/v1/blueprints");
        request.headers = {{"Authorization", scheme + secret_[AccessRole::kResearcher]}};
        EXPECT_EQ(router_.answer(request).status, 200) << scheme;
    }
}

TEST_F(Api, ABlueprintIsAddedOnceAndUnderTheCallersName) {
    const Response added = ask("POST", "/api/v1/blueprints", AccessRole::kCurator, submitted(64));
    ASSERT_EQ(added.status, 201) << added.text();
    const json blueprint = json::parse(added.text());
    EXPECT_EQ(blueprint["created_by"], "curator") << "not who the body says";
    const std::string at(serving::field_of(added.headers, "location"));
    EXPECT_EQ(get(at)["blueprint_id"], blueprint["blueprint_id"]);
    EXPECT_EQ(ask("POST", "/api/v1/blueprints", AccessRole::kAdmin, submitted(64)).status, 409);
    EXPECT_EQ(ask("POST", "/api/v1/blueprints", AccessRole::kCurator, "{}").status, 422);
    EXPECT_EQ(ask("GET", "/api/v1/blueprints/none", AccessRole::kResearcher).status, 404);
    EXPECT_EQ(library_->ledger(0, 10)->back().actor, "curator");
}

TEST_F(Api, AParameterThatNothingReadsIsRefusedByName) {
    for (const auto& operation : operations(*library_)) {
        std::string path = operation.pattern;
        if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, "x");
        const Response refused =
            ask(operation.method, path + "?limit=1&bogus=1", AccessRole::kAdmin);
        EXPECT_EQ(refused.status, 400) << path;
        if (!operation.page) continue;
        const json problem = json::parse(refused.text());
        EXPECT_EQ(problem["error"], "urza.BadRequest");
        EXPECT_NE(problem["detail"].get<std::string>().find("'bogus'"), std::string::npos);
        EXPECT_NE(problem["detail"].get<std::string>().find("limit"), std::string::npos);
    }
}

TEST_F(Api, ListsArePagesThatFollowEachOther) {
    for (int width = 1; width <= 5; ++width)
        ASSERT_TRUE(library_->add_blueprint(esper::testing::submission(width)));
    std::size_t seen = 0;
    std::string after;
    for (int page = 0; page < 3; ++page) {
        const json found = get("/api/v1/blueprints?limit=2&after=" + after);
        seen += found["items"].size();
        EXPECT_EQ(found["next"].is_null(), page == 2);
        if (!found["next"].is_null()) after = found["next"];
    }
    EXPECT_EQ(seen, 5u);
    for (const char* bad : {"limit=x", "limit=1001", "limit=-1", "limit=99999999999999999999"}) {
        const Response response =
            ask("GET", std::string("/api/v1/blueprints?") + bad, AccessRole::kResearcher);
        EXPECT_EQ(response.status, 400) << bad;
        EXPECT_EQ(json::parse(response.text())["error"], "urza.BadRequest");
    }
    EXPECT_EQ(get("/api/v1/ledger?after=3&limit=1")["items"][0]["number"], 4);
    EXPECT_EQ(get("/api/v1/ledger/head")["number"], 5);
}

TEST_F(Api, KernelsAreQueriedFetchedAndTakenOutOfUse) {
    library_.add("kernel-1");
    ASSERT_TRUE(library_.validate("kernel-1"));
    EXPECT_EQ(get("/api/v1/kernels")["items"].size(), 1u);
    const json kernel = get("/api/v1/kernels/kernel-1");
    EXPECT_EQ(kernel["status"], "VALIDATED");
    EXPECT_EQ(kernel["validation_report"]["benchmark_results"]["latency_ms_mean"], 1);
    const std::string query = R"({"required_tags": ["high_speed"]})";
    const auto matches = [&] {
        const auto response = ask("POST", "/api/v1/kernels/query", AccessRole::kResearcher, query);
        return json::parse(response.text())["matching_kernels"].size();
    };
    EXPECT_EQ(matches(), 1u);
    const Response bundle = ask("GET", "/api/v1/kernels/kernel-1/bundle", AccessRole::kResearcher);
    const auto parsed = execution::parse_bundle(bundle.text());
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(execution::verify_bundle(*parsed, library_->ring(), {}));
    EXPECT_EQ(ask("POST", "/api/v1/kernels/kernel-1/deprecate?reason=drifts", AccessRole::kCurator)
                  .status,
              200);
    EXPECT_EQ(ask("POST", "/api/v1/kernels/kernel-1/deprecate", AccessRole::kCurator).status, 409);
    EXPECT_EQ(matches(), 0u);
    EXPECT_EQ(library_->ledger(0, 10)->back().action, "deprecate kernel: drifts (curator)");
}

TEST_F(Api, AStatusThatNobodySignedIsNotPassedOn) {
    library_.add("pending");
    library_.sql("UPDATE kernel SET status = 'VALIDATED'");
    const Response shown = ask("GET", "/api/v1/kernels/pending", AccessRole::kResearcher);
    EXPECT_EQ(shown.status, 409);
    EXPECT_EQ(json::parse(shown.text())["error"], "trust.NoVerdict");
    EXPECT_TRUE(get("/api/v1/kernels")["items"][0].contains("refused"));
}

TEST_F(Api, AnswersHaveATagAndAreCompressedOnRequest) {
    ASSERT_TRUE(library_->add_blueprint(esper::testing::submission(64)));
    const Response plain = ask("GET", "/api/v1/blueprints", AccessRole::kResearcher);
    const std::string tag(serving::field_of(plain.headers, "etag"));
    ASSERT_FALSE(tag.empty());
    const Response again =
        ask("GET", "/api/v1/blueprints", AccessRole::kResearcher, "", {{"If-None-Match", tag}});
    EXPECT_EQ(again.status, 304);
    EXPECT_TRUE(again.text().empty());
    for (int width = 1; width < 4; ++width)
        ASSERT_TRUE(library_->add_blueprint(esper::testing::submission(width)));
    const auto whole = ask("GET", "/api/v1/blueprints", AccessRole::kResearcher);
    const auto small = ask("GET", "/api/v1/blueprints", AccessRole::kResearcher, "",
                           {{"Accept-Encoding", "br, gzip"}});
    ASSERT_EQ(serving::field_of(small.headers, "content-encoding"), "gzip");
    EXPECT_LT(small.text().size(), whole.text().size() / 2);
    std::string back(whole.text().size(), '\0');
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string packed(small.text());
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(back.data());
    stream.avail_out = static_cast<uInt>(back.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    EXPECT_EQ(back, whole.text());
    const auto refused = ask("GET", "/api/v1/blueprints", AccessRole::kResearcher, "",
                             {{"Accept-Encoding", "gzip;q=0"}});
    EXPECT_EQ(serving::field_of(refused.headers, "content-encoding"), "");
}

TEST_F(Api, TheDescriptionSaysWhatAnAddressMayHave) {
    const json described = json::parse(ask("GET", "/openapi.json", AccessRole::kAdmin).text());
    const auto schema = [&](const char* path, std::size_t number) {
        return described["paths"][path]["get"]["parameters"][number]["schema"];
    };
    const std::string control = "\\u0000-\\u001f\\u007f";
    EXPECT_EQ(schema("/api/v1/kernels/{id}", 0)["pattern"],
              "^[^" + control + ".][^" + control + "]*$");
    EXPECT_EQ(schema("/api/v1/kernels", 0)["pattern"], "^[^" + control + "]*$");
    const auto most = std::to_string(schema("/api/v1/ledger", 0)["maximum"].get<std::uint64_t>());
    EXPECT_EQ(ask("GET", "/api/v1/ledger?after=" + most, AccessRole::kAdmin).status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/ledger?after=" + most + "0", AccessRole::kAdmin).status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/kernels/query", AccessRole::kAdmin).status, 405)
        << "the path of the query is no kernel's";
}

TEST_F(Api, TheDescriptionNamesEveryOperationAndEverySchemaItUses) {
    const json described = json::parse(ask("GET", "/openapi.json", AccessRole::kAdmin).text());
    for (const auto& route : router_.routes()) {
        const std::string method = route.method == "GET" ? "get" : "post";
        EXPECT_TRUE(described["paths"][route.pattern].contains(method)) << route.pattern;
    }
    const std::string text = described.dump();
    constexpr std::string_view kReference = "#/components/schemas/";
    for (auto at = text.find(kReference); at != std::string::npos;
         at = text.find(kReference, at + 1)) {
        const auto name =
            text.substr(at + kReference.size(), text.find('"', at) - at - kReference.size());
        EXPECT_TRUE(described["components"]["schemas"].contains(name)) << name;
    }
    EXPECT_EQ(text.find("#/$defs/"), std::string::npos);
    EXPECT_EQ(router_.answer(*serving::parse_target("GET", "/ready")).status, 200);
}

TEST_F(Api, TokensAreKeptAsHashesForThisUserOnly) {
    struct stat st {};
    const auto file = library_.path() / "tokens";
    ASSERT_EQ(::stat(file.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text.find(secret_[AccessRole::kAdmin]), std::string::npos);
    EXPECT_TRUE(tokens_.add({"admin", AccessRole::kAdmin}).error().is(UrzaError::kConflict));
    Tokens elsewhere(file);  // as another process has it
    ASSERT_TRUE(elsewhere.remove("researcher"));
    EXPECT_EQ(ask("GET", "/api/v1/blueprints", AccessRole::kResearcher).status, 401);
    EXPECT_TRUE(tokens_.remove("researcher").error().is(UrzaError::kUnknownToken));
    ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
    EXPECT_TRUE(Tokens(file).all().error().is(UrzaError::kBadTokens));
    ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
    std::ofstream(file) << R"([{"name": "x", "role": "king", "sha256": "0"}])";
    EXPECT_TRUE(Tokens(file).all().error().is(UrzaError::kBadTokens));
}

TEST_F(Api, OneBadEntryOfTheTokensShutsNobodyElseOut) {
    for (const char* name : {"", "   ", "a\nb", "\xff", "\x1b[31m"})
        EXPECT_TRUE(tokens_.add({name, AccessRole::kAdmin}).error().is(UrzaError::kBadRequest));
    EXPECT_FALSE(tokens_.add({std::string(101, 'x'), AccessRole::kAdmin}));
    const auto file = library_.path() / "tokens";
    std::ifstream in(file);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    text.insert(1, R"({"name": "", "role": "admin", "sha256": "0"},)");
    std::ofstream(file) << text;
    Tokens elsewhere(file);
    EXPECT_EQ(elsewhere.all()->size(), 4u);
    EXPECT_EQ(elsewhere.useless(), 1u);
    ASSERT_TRUE(elsewhere.remove("researcher"));
    EXPECT_EQ(elsewhere.all()->size(), 3u);
    EXPECT_EQ(elsewhere.useless(), 0u);
}

}  // namespace
}  // namespace esper::urza
