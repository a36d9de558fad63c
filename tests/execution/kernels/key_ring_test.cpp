#include "esper/execution/kernels/trust/key_ring.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "execution/kernels/test_trust.h"

namespace esper::execution {
namespace {

namespace fs = std::filesystem;
using esper::testing::TestTrust;

mode_t mode_of(const fs::path& path) {
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st.st_mode & 07777;
}

Seal signed_by(const KeyFolder& folder, KeyRole role) {
    return *folder.signer(role)->seal(kManifestType, "manifest");
}
Status checked(const KeyFolder& folder, const Seal& seal) {
    ESPER_TRY(const KeyRing ring, folder.ring());
    return ring.check(KeyRole::kForge, kManifestType, "manifest", seal);
}

TEST(KeyFolder, TheFirstUseMakesPrivateKeysOfEachRole) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    EXPECT_TRUE(*folder.make_missing());
    EXPECT_FALSE(*folder.make_missing());
    EXPECT_EQ(mode_of(place / "keys"), 0700u);
    EXPECT_EQ(folder.ring()->keys().size(), 4u);
    const KeyRing ring = *folder.ring();
    for (const auto& key : ring.keys()) {
        EXPECT_TRUE(key.trusted);
        EXPECT_EQ(mode_of(place / "keys" / (key.id + ".key")), 0600u);
    }
    EXPECT_TRUE(checked(folder, signed_by(folder, KeyRole::kForge)));
}

TEST(KeyFolder, ProcessesThatStartAtOnceMakeOneSetOfKeys) {
    const TemporaryFolder place;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { EXPECT_TRUE(KeyFolder(place / "keys").make_missing()); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(KeyFolder(place / "keys").ring()->keys().size(), 4u);
}

TEST(KeyFolder, AfterARotationOldSealsStillHoldAndNewOnesAreOfTheNewKey) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    ASSERT_TRUE(folder.make_missing());
    const Seal before = signed_by(folder, KeyRole::kForge);
    const std::string next = *folder.rotate(KeyRole::kForge);
    EXPECT_EQ(signed_by(folder, KeyRole::kForge).key, next);
    EXPECT_TRUE(checked(folder, before));
    EXPECT_TRUE(checked(folder, signed_by(folder, KeyRole::kForge)));
    const KeyRing ring = *folder.ring();
    const auto& seals = ring.find(next)->seals;
    ASSERT_EQ(seals.size(), 2u) << "the old key and the root";
    EXPECT_EQ(seals.front().key, before.key);
}

TEST(KeyFolder, ARevokedKeyIsRefusedAndItsSuccessorIsNot) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    ASSERT_TRUE(folder.make_missing());
    const Seal before = signed_by(folder, KeyRole::kForge);
    ASSERT_TRUE(folder.revoke(before.key));
    EXPECT_TRUE(checked(folder, before).error().is(TrustError::kRevokedKey));
    EXPECT_TRUE(folder.signer(KeyRole::kForge).error().is(TrustError::kNoKey));
    ASSERT_TRUE(folder.rotate(KeyRole::kForge)) << "the root signs the new one";
    EXPECT_TRUE(checked(folder, signed_by(folder, KeyRole::kForge)));
    EXPECT_TRUE(folder.revoke("0123456789abcdef").error().is(TrustError::kUnknownKey));
    const KeyRing ring = *folder.ring();
    const std::string root = ring.newest(KeyRole::kRoot)->id;
    EXPECT_TRUE(folder.revoke(root).error().is(TrustError::kRootKey));
}

TEST(KeyFolder, ASecretThatIsElsewhereIsMissedByName) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    ASSERT_TRUE(folder.make_missing());
    const Seal seal = signed_by(folder, KeyRole::kForge);
    fs::remove(place / "keys" / (seal.key + ".key"));
    EXPECT_TRUE(folder.signer(KeyRole::kForge).error().is(TrustError::kNoKey));
    EXPECT_TRUE(checked(folder, seal)) << "checking needs no secret";
}

TEST(KeyFolder, EveryChangedByteOfAKeyFileIsRefused) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    ASSERT_TRUE(folder.make_missing());
    const std::string id = folder.signer(KeyRole::kForge)->id();
    for (const fs::path& path : {place / "keys" / "ring", place / "keys" / (id + ".key")}) {
        const std::string good = *read_file(path);
        const std::size_t step = good.size() > 500 ? 7 : 1;
        for (std::size_t byte = 0; byte < good.size(); byte += step) {
            std::string bad = good;
            bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
            std::ofstream(path, std::ios::binary) << bad;
            const auto refused = folder.signer(KeyRole::kForge);
            ASSERT_FALSE(refused) << path << " byte " << byte;
            ASSERT_TRUE(refused.error().is(TrustError::kBadKeyFile)) << refused.error().to_string();
        }
        std::ofstream(path, std::ios::binary) << good;
    }
    EXPECT_TRUE(folder.signer(KeyRole::kForge));
}

TEST(KeyFolder, AFileThatOthersCouldHaveWrittenIsRefused) {
    const TemporaryFolder place;
    const KeyFolder folder(place / "keys");
    ASSERT_TRUE(folder.make_missing());
    ASSERT_EQ(::chmod((place / "keys" / "ring").c_str(), 0666), 0);
    EXPECT_TRUE(folder.ring().error().is(TrustError::kBadKeyFile));
    fs::remove(place / "keys" / "ring");
    fs::create_symlink("/dev/null", place / "keys" / "ring");
    EXPECT_TRUE(folder.ring().error().is(TrustError::kBadKeyFile));
}

TEST(KeyFolder, WhereNoKeysCanBeKeptTheMessageSaysSo) {
    const TemporaryFolder place;
    std::ofstream(place / "file") << "no folder";
    const auto refused = KeyFolder(place / "file" / "keys").make_missing();
    ASSERT_TRUE(refused.error().is(FileError::kUnwritable));
    EXPECT_NE(refused.error().message().find("ESPER_KEYS"), std::string::npos);
}

TEST(KeyRing, AChangedStatementIsRefusedEvenWithAFreshChecksum) {
    const TestTrust trust;
    const std::string good = trust.ring.text();
    ASSERT_EQ(KeyRing::parse(good)->text(), good);
    int refused = 0;
    for (std::size_t byte = 0; byte < good.size(); byte += 3) {
        std::string bad = good;
        bad[byte] = static_cast<char>(bad[byte] ^ 1);
        if (const auto ring = KeyRing::parse(bad); !ring) {
            ++refused;
            EXPECT_TRUE(ring.error().is(TrustError::kBadKeyFile) ||
                        ring.error().is(KernelError::kBadSignature))
                << ring.error().to_string();
        } else {
            ADD_FAILURE() << "byte " << byte << " of " << good;
        }
    }
    EXPECT_GT(refused, 100);
}

TEST(KeyRing, AStrangersKeyCannotBeSlippedIn) {
    const TestTrust trust;
    KeyRing ring = trust.ring;
    const Signer stranger = TestTrust::make(KeyRole::kGauntlet);
    ASSERT_TRUE(ring.add(KeyRole::kGauntlet, stranger.open(), {}, std::span(&trust.forge, 1)));
    const Seal seal = *stranger.seal(kVerdictType, "verdict");
    EXPECT_TRUE(ring.check(KeyRole::kGauntlet, kVerdictType, "verdict", seal)
                    .error()
                    .is(TrustError::kRevokedKey))
        << "a forge's key may not make a gauntlet's";
    const Signer proud = TestTrust::make(KeyRole::kGauntlet);
    ASSERT_TRUE(ring.add(KeyRole::kGauntlet, proud.open(), {}, std::span(&proud, 1)));
    EXPECT_FALSE(ring.find(proud.id())->trusted) << "only the first root vouches for itself";
    EXPECT_TRUE(ring.add(KeyRole::kForge, proud.open(), {}, std::span(&trust.root, 1))
                    .error()
                    .is(TrustError::kBadKeyFile))
        << "one key, two roles";
}

}  // namespace
}  // namespace esper::execution
