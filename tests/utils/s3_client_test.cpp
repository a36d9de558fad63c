// Tests with a server that verifies signatures (moto) and with boto3, directly and through a proxy
// that breaks connections.
#include "esper/utils/s3_client.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/random.h"
#include "esper/utils/trace_id.h"
#include "utils/fault_proxy.h"
#include "utils/s3_peer.h"

namespace esper::utils {
namespace {

using namespace std::chrono_literals;
using test::Fault;
using test::FaultProxy;
using test::S3Peer;

std::string random_bytes(std::size_t n, std::uint64_t seed) {
    RandomStream random(seed, "s3 test");
    std::string out(n, '\0');
    for (char& c : out) c = static_cast<char>(random.next_u32());
    return out;
}

class S3 : public testing::Test {
  protected:
    static void SetUpTestSuite() { peer = new S3Peer(); }
    static void TearDownTestSuite() {
        delete peer;
        peer = nullptr;
    }
    void SetUp() override {
        if (!peer->missing().empty()) GTEST_SKIP() << peer->missing();
        ASSERT_TRUE(client()->create_bucket());
    }

    S3Options options(const std::string& endpoint = peer->endpoint()) const {
        return {.endpoint = endpoint,
                .credentials = {peer->access_key, peer->secret_key},
                .multipart_from = 1'000'000,
                .part_bytes = 300'000,
                .http = {.connect_timeout = 5s,
                         .timeout = 20s,
                         .retries = 4,
                         .first_delay = 1ms,
                         .longest_delay = 5ms}};
    }
    std::unique_ptr<S3Client> client(const std::string& endpoint = peer->endpoint()) const {
        return *S3Client::make(options(endpoint));
    }

    static S3Peer* peer;
    TemporaryFolder dir;
};
S3Peer* S3::peer = nullptr;

TEST_F(S3, AWrongSecretIsRefusedSoTheServerReallyVerifies) {
    S3Options wrong = options();
    wrong.credentials.secret_key += "x";
    const auto s = (*S3Client::make(wrong))->put("k", "v");
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(S3Error::kDenied)) << s.error().to_string();
    EXPECT_NE(s.error().message().find("SignatureDoesNotMatch"), std::string::npos);
}

TEST_F(S3, ObjectsOfAnyNameAndContentComeBackAsTheyWere) {
    const auto s3 = client();
    const std::pair<std::string, std::string> cases[] = {
        {"plain", "hello"},
        {"empty", ""},
        {"a b+c/ü&=%41,(x)*'!$@:;~.bin", std::string("\0\xff\r\n", 4)},
        {"kernels/b3d4f5-x86-fast/kernel.so", random_bytes(100'000, 1)}};
    for (const auto& [key, bytes] : cases) {
        const Status put = s3->put(key, bytes);
        ASSERT_TRUE(put) << key << put.error().to_string();
        const auto got = s3->get(key);
        ASSERT_TRUE(got) << key << got.error().to_string();
        EXPECT_EQ(*got, bytes);
        const auto head = s3->head(key);
        ASSERT_TRUE(head);
        EXPECT_EQ(head->size, bytes.size());
        EXPECT_EQ(head->metadata.at("sha256"), sha256(bytes).hex());
        EXPECT_FALSE(head->last_modified.empty());
        EXPECT_TRUE(*s3->exists(key));
        EXPECT_TRUE(s3->remove(key));
        EXPECT_FALSE(*s3->exists(key));
        EXPECT_TRUE(s3->remove(key));
        EXPECT_TRUE(s3->get(key).error().is(S3Error::kNotFound));
    }
    EXPECT_LT(s3->metrics().success_rate(), 1);
    EXPECT_GT(s3->metrics().average_duration_ms, 0);
    EXPECT_GT(s3->metrics().operations_per_second, 0);
    EXPECT_GT(s3->metrics().bytes_sent, 100'000u);
    EXPECT_GT(s3->metrics().bytes_received, 100'000u);
}

TEST_F(S3, ListsByPrefixInOrder) {
    const auto s3 = client();
    for (const char* key : {"list/b &1", "list/a", "other"}) ASSERT_TRUE(s3->put(key, "xyz"));
    const auto all = s3->list("list/");
    ASSERT_TRUE(all) << all.error().to_string();
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[0].key, "list/a");
    EXPECT_EQ((*all)[1].key, "list/b &1");
    EXPECT_EQ((*all)[1].size, 3u);
    EXPECT_EQ((*all)[0].etag.size(), 32u);
    EXPECT_TRUE(s3->list("nothing/")->empty());
}

TEST_F(S3, RangesGiveTheBytesAskedFor) {
    const auto s3 = client();
    ASSERT_TRUE(s3->put("range", "0123456789"));
    EXPECT_EQ(*s3->get_range("range", 2, 3), "234");
    EXPECT_EQ(*s3->get_range("range", 8, 100), "89");
    EXPECT_EQ(*s3->get_range("range", 0, 0), "");
    EXPECT_TRUE(s3->get_range("range", 50, 1).error().is(S3Error::kRequest));
}

TEST_F(S3, Boto3ReadsWhatOursWroteAndOursReadsWhatBoto3Wrote) {
    const auto s3 = client();
    for (const std::size_t size : {0u, 10u, 2'500'000u, 11'000'000u}) {
        const std::string bytes = random_bytes(size, size);
        ASSERT_TRUE(write_file_atomic(dir / "ours", bytes));
        const Status put = s3->put_file("shared/ours", dir / "ours");
        ASSERT_TRUE(put) << put.error().to_string();
        ASSERT_EQ(peer->ask("get shared/ours " + (dir / "seen").string()), "ok");
        EXPECT_EQ(*read_file(dir / "seen"), bytes);
        for (const char* command : {"put", "put_multipart"}) {
            ASSERT_EQ(peer->ask(std::string(command) + " shared/theirs " + (dir / "ours").string()),
                      "ok");
            EXPECT_EQ(*s3->get("shared/theirs"), bytes);
            const Status got = s3->get_file("shared/theirs", dir / "theirs");
            ASSERT_TRUE(got) << got.error().to_string();
            EXPECT_EQ(*read_file(dir / "theirs"), bytes);
        }
    }
    EXPECT_EQ(peer->ask("uploads"), "0");
}

TEST_F(S3, ADamagedObjectIsNotReturned) {
    const auto s3 = client();
    ASSERT_TRUE(s3->put("damaged", random_bytes(1000, 5)));
    ASSERT_EQ(peer->ask("corrupt damaged"), "ok");
    EXPECT_TRUE(s3->get("damaged").error().is(S3Error::kCorrupt));
    const Status s = s3->get_file("damaged", dir / "x");
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(S3Error::kCorrupt)) << s.error().to_string();
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));

    ASSERT_TRUE(write_file_atomic(dir / "f", "written by another program"));
    ASSERT_EQ(peer->ask("put foreign " + (dir / "f").string()), "ok");
    ASSERT_EQ(peer->ask("corrupt foreign"), "ok");
    EXPECT_TRUE(s3->get("foreign").error().is(S3Error::kCorrupt));
}

TEST_F(S3, SmallTransfersSurviveEveryKindOfFault) {
    const std::string bytes = random_bytes(50'000, 9);
    for (const Fault fault : {Fault{Fault::Kind::kResetDown, 10},
                              {Fault::Kind::kTruncate, 100},
                              {Fault::Kind::kResetUp, 20'000},
                              {Fault::Kind::kUnavailable},
                              {Fault::Kind::kSlow}}) {
        FaultProxy proxy(peer->port, [&](int n) { return n % 2 == 0 ? fault : Fault{}; });
        const auto s3 = client(proxy.endpoint());
        for (int i = 0; i < 3; ++i) {
            const std::string key = "faulty/" + std::to_string(i);
            const Status put = s3->put(key, bytes);
            ASSERT_TRUE(put) << put.error().to_string();
            const auto got = s3->get(key);
            ASSERT_TRUE(got) << got.error().to_string();
            EXPECT_EQ(*got, bytes);
        }
        if (fault.kind != Fault::Kind::kSlow) {
            EXPECT_GT(s3->metrics().retries, 0u) << static_cast<int>(fault.kind);
        }
    }
}

TEST_F(S3, LargeTransfersResumeWhereTheyBrokeAndLoseNothing) {
    const std::string bytes = random_bytes(3'000'000, 11);
    ASSERT_TRUE(write_file_atomic(dir / "big", bytes));
    for (const auto kind : {Fault::Kind::kResetDown, Fault::Kind::kTruncate}) {
        FaultProxy proxy(peer->port, [&](int) { return Fault{kind, 700'000}; });
        const auto s3 = client(proxy.endpoint());
        ASSERT_TRUE(client()->put_file("big", dir / "big"));
        const Status got = s3->get_file("big", dir / "copy");
        ASSERT_TRUE(got) << got.error().to_string();
        EXPECT_EQ(*read_file(dir / "copy"), bytes);
        EXPECT_GE(s3->metrics().resumed_downloads, 4u);
        EXPECT_FALSE(std::filesystem::exists(dir / "copy.part"));
    }
}

TEST_F(S3, UploadsInPartsSurviveBrokenConnections) {
    const std::string bytes = random_bytes(3'000'000, 12);
    ASSERT_TRUE(write_file_atomic(dir / "big", bytes));
    const Fault faults[] = {
        {Fault::Kind::kResetUp, 150'000}, {Fault::Kind::kUnavailable}, {Fault::Kind::kNone},
        {Fault::Kind::kResetDown, 900},   {Fault::Kind::kNone},        {Fault::Kind::kNone}};
    FaultProxy proxy(peer->port, [&](int n) { return faults[n % 6]; });
    const auto s3 = client(proxy.endpoint());
    const Status put = s3->put_file("parts", dir / "big");
    ASSERT_TRUE(put) << put.error().to_string();
    EXPECT_GT(s3->metrics().retries, 0u);
    EXPECT_EQ(*client()->get("parts"), bytes);
}

TEST_F(S3, ADownloadThatGaveUpIsResumedByTheNextCall) {
    const std::string bytes = random_bytes(2'000'000, 13);
    ASSERT_TRUE(client()->put("later", bytes));
    FaultProxy proxy(peer->port, [](int n) {
        return n <= 1 ? Fault{Fault::Kind::kTruncate, 900'000} : Fault{Fault::Kind::kTruncate, 0};
    });
    S3Options impatient = options(proxy.endpoint());
    impatient.download_attempts = 1;
    impatient.http.retries = 0;
    const Status broken = (*S3Client::make(impatient))->get_file("later", dir / "f");
    ASSERT_FALSE(broken);
    EXPECT_TRUE(broken.error().is(S3Error::kTransport)) << broken.error().to_string();
    EXPECT_GT(std::filesystem::file_size(dir / "f.part"), 500'000u);

    const auto s3 = client();
    ASSERT_TRUE(s3->get_file("later", dir / "f"));
    EXPECT_EQ(*read_file(dir / "f"), bytes);
    EXPECT_EQ(s3->metrics().resumed_downloads, 1u);
    EXPECT_LT(s3->metrics().bytes_received, 1'500'000u);
}

TEST_F(S3, APartOfAnotherVersionIsNotResumed) {
    const auto s3 = client();
    const std::string bytes = random_bytes(10'000, 14);
    ASSERT_TRUE(s3->put("v", bytes));
    ASSERT_TRUE(write_file_atomic(dir / "f.part", std::string(5000, 'x')));
    ASSERT_TRUE(write_file_atomic(dir / "f.part.etag", "another"));
    ASSERT_TRUE(s3->get_file("v", dir / "f"));
    EXPECT_EQ(*read_file(dir / "f"), bytes);
    EXPECT_EQ(s3->metrics().resumed_downloads, 0u);
}

TEST_F(S3, AFailedUploadInPartsLeavesNothingBehind) {
    ASSERT_TRUE(write_file_atomic(dir / "big", random_bytes(1'500'000, 15)));
    // The requests that begin and end an upload succeed; those for parts never do.
    FaultProxy proxy(peer->port, [](int) { return Fault{Fault::Kind::kResetUp, 100'000}; });
    const auto s3 = client(proxy.endpoint());
    const Status put = s3->put_file("never", dir / "big");
    ASSERT_FALSE(put);
    EXPECT_TRUE(put.error().is(S3Error::kTransport)) << put.error().to_string();
    EXPECT_EQ(peer->ask("uploads"), "0");
    EXPECT_FALSE(*client()->exists("never"));
}

TEST_F(S3, ManyThreadsShareOneClient) {
    const auto s3 = client();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const std::string key = "threads/" + std::to_string(t);
            const std::string bytes = random_bytes(20'000, static_cast<std::uint64_t>(t));
            for (int i = 0; i < 5; ++i) {
                EXPECT_TRUE(s3->put(key, bytes));
                EXPECT_EQ(s3->get(key).value_or(""), bytes);
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(s3->metrics().total_operations, 40u);
    EXPECT_EQ(s3->metrics().success_rate(), 1);
}

TEST_F(S3, LocalFilesThatCannotBeUsedAreReported) {
    const auto s3 = client();
    ASSERT_TRUE(s3->put("k", "v"));
    for (const Status& s : {s3->put_file("x", dir / "missing"), s3->put_file("x", dir.path()),
                            s3->get_file("k", dir / "no" / "such" / "folder")}) {
        ASSERT_FALSE(s);
        EXPECT_TRUE(s.error().is(S3Error::kLocalFile)) << s.error().to_string();
    }
    std::filesystem::create_directories(dir / "taken" / "x");
    EXPECT_TRUE(s3->get_file("k", dir / "taken").error().is(S3Error::kLocalFile));
}

}  // namespace
}  // namespace esper::utils
