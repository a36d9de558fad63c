// Answers that no correct server gives, from a server in the test.
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/utils/s3_client.h"
#include "esper/utils/trace_id.h"
#include "utils/tcp.h"

namespace esper::utils {
namespace {

using namespace std::chrono_literals;
using test::answer;
using test::RawRequest;

class Scripted {
  public:
    explicit Scripted(const std::function<std::string(const RawRequest&)>& respond)
        : server_([respond](test::Connection& c) {
              for (;;) {
                  const RawRequest r = test::read_request(c);
                  if (r.head.empty() || !c.write(respond(r))) return;
              }
          }) {}
    std::unique_ptr<S3Client> client() const {
        return *S3Client::make({.endpoint = server_.url("/"),
                                .bucket = "b",
                                .credentials = {"a", "s"},
                                .multipart_from = 10,
                                .part_bytes = 10,
                                .parallel_parts = 2,
                                .download_attempts = 2,
                                .http = {.retries = 2, .first_delay = 1ms, .longest_delay = 2ms}});
    }

  private:
    test::TcpServer server_;
};

std::string error_body(const char* code) {
    return std::string("<Error><Code>") + code + "</Code></Error>";
}

class S3Answers : public testing::Test {
  protected:
    TemporaryFolder dir;
};

TEST_F(S3Answers, OptionsThatCannotWorkAreRefused) {
    const S3Options good{.endpoint = "http://h", .credentials = {"a", "s"}};
    EXPECT_TRUE(S3Client::make(good));
    for (auto change : std::initializer_list<void (*)(S3Options&)>{
             [](S3Options& o) { o.endpoint = "h:9000"; }, [](S3Options& o) { o.bucket = ""; },
             [](S3Options& o) { o.region = ""; }, [](S3Options& o) { o.part_bytes = 0; },
             [](S3Options& o) { o.parallel_parts = 0; },
             [](S3Options& o) { o.credentials.access_key = ""; },
             [](S3Options& o) { o.credentials.secret_key = ""; }}) {
        S3Options bad = good;
        change(bad);
        const auto made = S3Client::make(bad);
        ASSERT_FALSE(made);
        EXPECT_TRUE(made.error().is(S3Error::kBadOptions));
    }
    EXPECT_EQ(S3Metrics{}.success_rate(), 1);
}

TEST_F(S3Answers, RefusalsKeepTheServersReason) {
    const std::tuple<int, const char*, S3Error> cases[] = {
        {400, "InvalidArgument", S3Error::kRequest},    {401, "Unauthorized", S3Error::kDenied},
        {403, "AccessDenied", S3Error::kDenied},        {404, "NoSuchBucket", S3Error::kNotFound},
        {412, "PreconditionFailed", S3Error::kChanged}, {503, "SlowDown", S3Error::kServer}};
    for (const auto& [status, code, expected] : cases) {
        Scripted server(
            [&, s = status, c = code](const RawRequest&) { return answer(s, error_body(c)); });
        const auto r = server.client()->get("k");
        ASSERT_FALSE(r);
        EXPECT_TRUE(r.error().is(expected)) << r.error().to_string();
        EXPECT_NE(r.error().message().find(code), std::string::npos) << r.error().message();
        if (status != 404) {
            EXPECT_FALSE(server.client()->exists("k"));
            EXPECT_FALSE(server.client()->remove("k"));
        }
    }
}

TEST_F(S3Answers, NoServerAtAllIsATransportError) {
    const auto s3 =
        *S3Client::make({.endpoint = "http://127.0.0.1:" + std::to_string(test::closed_port()),
                         .credentials = {"a", "s"},
                         .http = {.retries = 1, .first_delay = 1ms}});
    EXPECT_TRUE(s3->put("k", "v").error().is(S3Error::kTransport));
    EXPECT_EQ(s3->metrics().retries, 1u);
    EXPECT_EQ(s3->metrics().failed_operations, 1u);
}

TEST_F(S3Answers, APutWhoseEtagDiffersIsCorrupt) {
    Scripted server([](const RawRequest&) {
        return answer(200, "", "ETag: \"00000000000000000000000000000000\"\r\n");
    });
    const Status s = server.client()->put("k", "v");
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(S3Error::kCorrupt));
}

TEST_F(S3Answers, ListsFollowEveryPageAndRefuseNonsense) {
    Scripted pages([](const RawRequest& r) {
        const bool second = r.line().find("continuation-token=t%2F1") != std::string::npos;
        return answer(200, second ? "<ListBucketResult><Contents><Key>b</Key></Contents>"
                                    "<IsTruncated>false</IsTruncated></ListBucketResult>"
                                  : "<ListBucketResult><Contents><Key>a</Key></Contents>"
                                    "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1"
                                    "</NextContinuationToken></ListBucketResult>");
    });
    const auto all = pages.client()->list("");
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[1].key, "b");
    Scripted nonsense([](const RawRequest&) { return answer(200, "<html>"); });
    EXPECT_TRUE(nonsense.client()->list("").error().is(S3Error::kMalformedAnswer));
}

TEST_F(S3Answers, ARangeThatIsIgnoredIsNotTakenForTheRange) {
    Scripted server([](const RawRequest&) { return answer(200, "whole"); });
    EXPECT_TRUE(server.client()->get_range("k", 1, 2).error().is(S3Error::kMalformedAnswer));
}

/// A server whose HEAD announces 4 bytes and whose GET returns `get()`.
Scripted object_server(const std::function<std::string()>& get) {
    return Scripted([get](const RawRequest& r) {
        if (r.line().starts_with("HEAD")) {
            return std::string("HTTP/1.1 200 X\r\nContent-Length: 4\r\nETag: \"e\"\r\n\r\n");
        }
        return get();
    });
}

TEST_F(S3Answers, DownloadsRefuseWrongStatusesSurplusBytesAndChangedObjects) {
    const std::pair<std::string, S3Error> cases[] = {
        {answer(200, "1234"), S3Error::kMalformedAnswer},
        {answer(206, "12345"), S3Error::kMalformedAnswer},
        {answer(206, ""), S3Error::kTransport},
        {answer(412, error_body("PreconditionFailed")), S3Error::kChanged},
        {answer(503, error_body("SlowDown")), S3Error::kServer}};
    for (const auto& [get, expected] : cases) {
        auto server = object_server([g = get] { return g; });
        const Status s = server.client()->get_file("k", dir / "f");
        ASSERT_FALSE(s);
        EXPECT_TRUE(s.error().is(expected)) << s.error().to_string();
        EXPECT_FALSE(std::filesystem::exists(dir / "f"));
        std::filesystem::remove(dir / "f.part");
    }
    auto good = object_server([] { return answer(206, "1234"); });
    EXPECT_TRUE(good.client()->get_file("k", dir / "f"));
}

TEST_F(S3Answers, UploadsInPartsCheckEveryAnswer) {
    ASSERT_TRUE(write_file_atomic(dir / "f", std::string(25, 'x')));
    std::atomic<int> deleted{0};
    const auto refuses = [&](const std::string& start, const std::string& etag,
                             const std::string& end, S3Error expected) {
        const Scripted server([&](const RawRequest& r) {
            const std::string line = r.line();
            if (line.starts_with("DELETE")) {
                ++deleted;
                return answer(204, "");
            }
            if (line.starts_with("HEAD")) return answer(404, "");
            if (line.starts_with("PUT")) return answer(200, "", "ETag: " + etag + "\r\n");
            return answer(200, line.find("?uploads") != std::string::npos ? start : end);
        });
        const Status s = server.client()->put_file("k", dir / "f");
        ASSERT_FALSE(s);
        EXPECT_TRUE(s.error().is(expected)) << s.error().to_string();
    };
    const std::string started = "<UploadId>u1</UploadId>";
    refuses("<nothing/>", "\"x\"", "", S3Error::kMalformedAnswer);
    refuses(started, "\"00000000000000000000000000000000\"", "", S3Error::kCorrupt);
    refuses(started, "\"ab\"", "<ETag>\"wrong-3\"</ETag>", S3Error::kCorrupt);
    refuses(started, "\"ab\"", error_body("InternalError"), S3Error::kRequest);
    EXPECT_EQ(deleted, 3);
}

TEST_F(S3Answers, ACompletionWhoseAnswerWasLostIsLookedUp) {
    ASSERT_TRUE(write_file_atomic(dir / "f", std::string(25, 'x')));
    // Three parts with ETag "ab": the MD5 of the bytes ab ab ab.
    const Scripted server([](const RawRequest& r) {
        const std::string line = r.line();
        if (line.starts_with("HEAD")) {
            return answer(200, "", "ETag: \"0ddb18b4b5dddf194555501f04b4a109-3\"\r\n");
        }
        if (line.starts_with("PUT")) return answer(200, "", "ETag: \"ab\"\r\n");
        if (line.find("?uploads") != std::string::npos) {
            return answer(200, "<UploadId>u1</UploadId>");
        }
        return answer(404, error_body("NoSuchUpload"));
    });
    EXPECT_TRUE(server.client()->put_file("k", dir / "f"));
}

}  // namespace
}  // namespace esper::utils
