#include "esper/services/urza/objects.h"

#include <gtest/gtest.h>

#include <map>

#include "esper/base/hash.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/row_objects.h"
#include "esper/services/urza/s3_objects.h"
#include "urza/postgres_server.h"
#include "urza/small_library.h"
#include "utils/s3_peer.h"

// The same tests over every place of kernels' objects.

namespace esper::urza {
namespace {

using esper::testing::age_files;
using esper::testing::PostgresHome;
using esper::testing::SmallLibrary;
using esper::testing::submission;
using test::S3Peer;

/// A place for objects, and what its owner can do to them.
class Place {
  public:
    virtual ~Place() = default;
    virtual std::unique_ptr<Objects> open() = 0;
    virtual void change(const std::string& digest) = 0;
    virtual void make_old() = 0;
};

class FolderPlace final : public Place {
  public:
    std::unique_ptr<Objects> open() override { return std::make_unique<Artifacts>(folder_.path()); }
    void change(const std::string& digest) override {
        std::ofstream(folder_ / (digest.substr(0, 2) + "/" + digest)) << "another";
    }
    void make_old() override { age_files(folder_.path()); }

  private:
    const TemporaryFolder folder_;
};

class RowPlace final : public Place {
  public:
    RowPlace() { EXPECT_TRUE(home_.open()); }
    std::unique_ptr<Objects> open() override {
        return std::make_unique<RowObjects>("a database", [this] { return home_.database(); });
    }
    void change(const std::string& digest) override { home_.put_object(digest, "another"); }
    void make_old() override { home_.age_objects(); }

  private:
    PostgresHome home_;
};

S3Peer& peer() {
    static S3Peer server;
    return server;
}

class S3Place final : public Place {
  public:
    S3Place() {
        for (const auto& [name, value] :
             std::map<std::string, std::string>{{"AWS_ENDPOINT_URL_S3", peer().endpoint()},
                                                {"AWS_ACCESS_KEY_ID", peer().access_key},
                                                {"AWS_SECRET_ACCESS_KEY", peer().secret_key},
                                                {"AWS_REGION", "us-east-1"}})
            ::setenv(name.c_str(), value.c_str(), 1);
        utils::S3Options options;
        options.endpoint = peer().endpoint();
        options.credentials = {peer().access_key, peer().secret_key};
        EXPECT_TRUE((*utils::S3Client::make(options))->create_bucket());
        static int number = 0;
        prefix_ = "library-" + std::to_string(++number);
    }
    ~S3Place() override {
        for (const char* name :
             {"AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"})
            ::unsetenv(name);
    }
    std::string address() const { return "s3://esper-artifacts/" + prefix_; }
    std::unique_ptr<Objects> open() override { return value_or_throw(S3Objects::open(address())); }
    void change(const std::string& digest) override {
        EXPECT_EQ(peer().ask("corrupt " + prefix_ + "/" + digest.substr(0, 2) + "/" + digest),
                  "ok");
    }
    void make_old() override { EXPECT_EQ(peer().ask("age 7200"), "ok"); }

  private:
    std::string prefix_;
};

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Place>()> make;
    std::function<std::string()> missing;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class ObjectsConformance : public ::testing::TestWithParam<Kind> {
  protected:
    void SetUp() override {
        if (const auto why = GetParam().missing(); !why.empty()) GTEST_SKIP() << why;
        place_ = GetParam().make();
    }
    std::unique_ptr<Place> place_;
};
INSTANTIATE_TEST_SUITE_P(Places, ObjectsConformance,
                         ::testing::Values(Kind{"folder",
                                                [] { return std::make_unique<FolderPlace>(); },
                                                [] { return std::string(); }},
                                           Kind{"rows", [] { return std::make_unique<RowPlace>(); },
                                                PostgresHome::missing},
                                           Kind{"s3", [] { return std::make_unique<S3Place>(); },
                                                [] { return peer().missing(); }}),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(ObjectsConformance, ComeBackByTheirDigest) {
    const auto objects = place_->open();
    std::string content;
    for (int i = 0; i < 5000; ++i) content += static_cast<char>(i * 7 % 256);
    const std::string digest = *objects->put(content);
    EXPECT_EQ(digest, sha256(content).hex());
    EXPECT_EQ(*objects->put(content), digest);
    EXPECT_EQ(*place_->open()->get(digest), content);
    EXPECT_EQ(*objects->get(*objects->put("")), "");
    const auto missing = objects->get(std::string(64, 'a'));
    EXPECT_TRUE(missing.error().is(UrzaError::kNoObject)) << missing.error().to_string();
    EXPECT_TRUE(objects->get("../../etc/passwd").error().is(UrzaError::kBadObject));
}

TEST_P(ObjectsConformance, ThatWereChangedAreRefusedAndMendedByTheirContent) {
    const auto objects = place_->open();
    const std::string digest = *objects->put("content");
    place_->change(digest);
    const auto changed = objects->get(digest);
    ASSERT_TRUE(changed.error().is(UrzaError::kBadObject)) << changed.error().to_string();
    EXPECT_EQ(*objects->put("content"), digest);
    EXPECT_EQ(*objects->get(digest), "content");
}

TEST_P(ObjectsConformance, ThatNobodyKeepsGoWhenTheyAreOld) {
    const auto objects = place_->open();
    const std::string kept = *objects->put("kept"), old = *objects->put("not kept");
    const auto keep = [&](const std::string& digest) { return digest == kept; };
    auto removed = *objects->remove_unless(keep);
    EXPECT_EQ(removed.files, 0u);
    EXPECT_EQ(removed.young, 1u);
    place_->make_old();
    const std::string young = *objects->put("not kept, but new");
    removed = *objects->remove_unless(keep);
    EXPECT_EQ(removed.files, 1u);
    EXPECT_EQ(removed.young, 1u);
    EXPECT_EQ(removed.bytes, std::string_view("not kept").size());
    EXPECT_TRUE(objects->get(kept));
    EXPECT_TRUE(objects->get(young));
    EXPECT_TRUE(objects->get(old).error().is(UrzaError::kNoObject));
}

TEST_P(ObjectsConformance, ThatAreStoredAgainAreYoungAgain) {
    const auto objects = place_->open();
    const std::string digest = *objects->put("content");
    place_->make_old();
    ASSERT_TRUE(objects->put("content")) << "a row for it is about to be written";
    EXPECT_EQ(objects->remove_unless([](const auto&) { return false; })->files, 0u);
    EXPECT_TRUE(objects->get(digest));
}

TEST(S3ObjectsTest, WhatIsNotSaidOrNotAllowedIsNamed) {
    const auto refused = S3Objects::open("s3://bucket/prefix");
    ASSERT_TRUE(refused.error().is(UrzaError::kBadAddress));
    EXPECT_NE(refused.error().message().find("AWS_ACCESS_KEY_ID"), std::string::npos);
    if (!peer().missing().empty()) GTEST_SKIP() << peer().missing();
    const S3Place place;
    ::setenv("AWS_SECRET_ACCESS_KEY", "another", 1);
    const auto denied = (*S3Objects::open(place.address()))->put("content");
    ASSERT_TRUE(denied.error().is(UrzaError::kReadOnly)) << denied.error().to_string();
    EXPECT_NE(denied.error().message().find(place.address()), std::string::npos);
    ::setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1", 1);
    const auto nobody = (*S3Objects::open(place.address()))->get(std::string(64, 'a'));
    EXPECT_TRUE(nobody.error().is(UrzaError::kUnreachable)) << nobody.error().to_string();
}

TEST(S3ObjectsTest, ALibraryInADatabaseHasItsKernelsThere) {
    for (const auto& why : {PostgresHome::missing(), peer().missing()})
        if (!why.empty()) GTEST_SKIP() << why;
    const S3Place place;
    SmallLibrary library(std::make_unique<PostgresHome>(place.address()));
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    EXPECT_TRUE(library.load("kernel-1"));
    EXPECT_TRUE((*S3Objects::open(place.address()))->get(sha256("object of kernel-1").hex()));
    EXPECT_TRUE(library->verify({})->empty());
    library.reopen();
    EXPECT_EQ(library->offers(library.ask())->size(), 1u);
    ::setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1", 1);
    library.reopen();
    const auto unseen = library->verify({});
    ASSERT_FALSE(unseen) << "what cannot be looked at is not wrong";
    EXPECT_TRUE(unseen.error().is(UrzaError::kUnreachable));
}

}  // namespace
}  // namespace esper::urza
