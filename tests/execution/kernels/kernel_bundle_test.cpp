#include "esper/execution/kernels/kernel_bundle.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/execution/kernels/branch_source.h"
#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::kDouble;
using esper::testing::sealed_bundle;
using esper::testing::test_manifest;
using esper::testing::test_trust;
using esper::testing::test_verdict;
using esper::testing::TestTrust;

const std::uint64_t kId = kernel_id_of("b3d4-cpu-fast-1");

Result<VerifiedBundle> verified(const std::string& bytes, KernelWant want = {}) {
    ESPER_TRY(const KernelBundle bundle, parse_bundle(bytes));
    want.id = kId;
    return verify_bundle(bundle, test_trust().ring, want);
}
KernelBundle good_bundle() { return sealed_bundle(test_manifest("b3d4-cpu-fast-1"), "object"); }

TEST(KernelBundle, WhatForgeAndGauntletSealedLoads) {
    VerifiedBranchSource source([](std::uint64_t) { return std::string(); }, test_trust().ring,
                                [](std::uint64_t) { return KernelWant{}; });
    const auto kernel = source.load(kId, bundle_of("b3d4-cpu-fast-1", compile_kernel(kDouble)));
    ASSERT_TRUE(kernel) << kernel.error().to_string();
    EXPECT_EQ(dynamic_cast<CachedBranch&>(**kernel).verified().manifest.artifact,
              "b3d4-cpu-fast-1");
    EXPECT_GT((*kernel)->charge(), 1000u);
}

TEST(KernelBundle, AKeyThatOpenSslWillNotTakeIsAnErrorEverywhere) {
    const Signer& forge = test_trust().forge;
    ASSERT_TRUE(FaultPoints::arm("signature.openssl@1+"));
    EXPECT_TRUE(generate_key_pair().error().is(KernelError::kBadKey));
    EXPECT_TRUE(public_key_of(PrivateKey{}).error().is(KernelError::kBadKey));
    EXPECT_TRUE(sign(PrivateKey{}, "message").error().is(KernelError::kBadKey));
    EXPECT_TRUE(forge_bundle(test_manifest("a"), "object", forge).error().is(KernelError::kBadKey));
    FaultPoints::disarm_all();
    EXPECT_TRUE(sign(PrivateKey{}, "message"));
}

TEST(KernelBundle, AKernelThatNobodyValidatedIsRefused) {
    KernelBundle bundle =
        *forge_bundle(test_manifest("b3d4-cpu-fast-1"), "object", test_trust().forge);
    EXPECT_TRUE(verify_forged(bundle, test_trust().ring));
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kNoVerdict));
    ASSERT_TRUE(judge_bundle(bundle, test_verdict(false), test_trust().gauntlet));
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kRefuted));
}

TEST(KernelBundle, EachSealMustBeOfTheRightRole) {
    const auto& trust = test_trust();
    KernelBundle bundle = good_bundle();
    bundle.forged = *trust.gauntlet.seal(kManifestType, bundle.manifest);
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kWrongRole));
    bundle = good_bundle();
    ASSERT_TRUE(judge_bundle(bundle, test_verdict(), trust.forge)) << "the forge praises itself";
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kWrongRole));
    ASSERT_TRUE(judge_bundle(bundle, test_verdict(), TestTrust::make(KeyRole::kGauntlet)));
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kUnknownKey));
}

TEST(KernelBundle, ASealOfOneKindIsNoneOfAnother) {
    KernelBundle bundle = good_bundle();
    bundle.judged = *test_trust().gauntlet.seal(kManifestType, bundle.verdict);
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(KernelError::kBadSignature));
}

TEST(KernelBundle, AVerdictAboutAnotherKernelIsNone) {
    KernelBundle bundle = good_bundle();
    const KernelBundle other = sealed_bundle(test_manifest("b3d4-cpu-fast-1"), "another object");
    bundle.verdict = other.verdict;
    bundle.judged = other.judged;
    EXPECT_TRUE(verified(serialise_bundle(bundle)).error().is(TrustError::kOtherManifest));
}

TEST(KernelBundle, AChangedObjectOrStatementIsRefused) {
    auto tampered = good_bundle();
    tampered.object = "objecT";
    EXPECT_TRUE(verified(serialise_bundle(tampered)).error().is(KernelError::kDigestMismatch));
    tampered = good_bundle();
    tampered.manifest.replace(tampered.manifest.find("b3d4"), 4, "b3d5");
    EXPECT_TRUE(verified(serialise_bundle(tampered)).error().is(KernelError::kBadSignature));
    tampered = good_bundle();
    tampered.verdict.replace(tampered.verdict.find("1024"), 4, "4096");
    EXPECT_TRUE(verified(serialise_bundle(tampered)).error().is(KernelError::kBadSignature));
}

TEST(KernelBundle, AGoodKernelThatIsNotTheOneWantedIsRefused) {
    EXPECT_TRUE(verified(bundle_of("another", "object")).error().is(KernelError::kWrongKernel));
    const std::string bytes = serialise_bundle(good_bundle());
    const auto wanting = [&](const KernelWant& want) { return verified(bytes, want); };
    EXPECT_TRUE(wanting({.branch = std::string(64, 'b'), .precision = "fp32"}));
    EXPECT_TRUE(wanting({.precision = "bf16"}).error().is(KernelError::kWrongKernel));
    EXPECT_TRUE(wanting({.branch = std::string(64, 'c')}).error().is(KernelError::kWrongKernel));
    EXPECT_TRUE(wanting({.shape = ShapeClass{{64, 16, 16}, 32, 32}}));
    const ShapeClass more_rows{{64, 16, 16}, 2048, 2048};  // the forge says so, nobody tried it
    EXPECT_TRUE(wanting({.shape = more_rows}).error().is(TrustError::kOtherShape));
    const ShapeClass wider{{128, 16, 16}, 32, 32};
    EXPECT_TRUE(wanting({.shape = wider}).error().is(TrustError::kOtherShape));
}

TEST(KernelBundle, AKernelForAnotherMachineIsRefusedBeforeAnythingIsMapped) {
    auto manifest = test_manifest("b3d4-cpu-fast-1");
    manifest.cpu_features = {"sse2", "no_such_instructions"};
    const auto refused = verified(serialise_bundle(sealed_bundle(manifest, "object")));
    ASSERT_TRUE(refused.error().is(TrustError::kOtherMachine));
    EXPECT_NE(refused.error().message().find("no_such_instructions"), std::string::npos);
    manifest.cpu_features = {"sse2"};
    EXPECT_TRUE(verified(serialise_bundle(sealed_bundle(manifest, "object"))));
    manifest.abi = ESPER_BRANCH_KERNEL_ABI + 1;
    EXPECT_TRUE(verified(serialise_bundle(sealed_bundle(manifest, "object")))
                    .error()
                    .is(KernelError::kAbiMismatch));
}

TEST(KernelBundle, NoDamageGetsThrough) {
    const std::string good = bundle_of("b3d4-cpu-fast-1", "some object");
    ASSERT_TRUE(verified(good));
    for (std::size_t byte = 0; byte < good.size(); ++byte) {
        std::string bad = good;
        bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
        ASSERT_FALSE(verified(bad)) << "byte " << byte;
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_TRUE(parse_bundle(good.substr(0, n)).error().is(KernelError::kBadBundle));
    }
}

TEST(KernelBundle, WhatIsWrittenIsReadBack) {
    const KernelBundle whole = good_bundle();
    EXPECT_EQ(*parse_bundle(serialise_bundle(whole)), whole);
    const KernelBundle unjudged = *forge_bundle(test_manifest("a"), "object", test_trust().forge);
    EXPECT_EQ(*parse_bundle(serialise_bundle(unjudged)), unjudged);
    const auto manifest = *KernelManifest::parse(whole.manifest);
    EXPECT_EQ(manifest.text(), whole.manifest);
    EXPECT_EQ(Verdict::parse(whole.verdict)->text(), whole.verdict);
}

TEST(KernelBundle, AManifestMustSayWhatItMust) {
    const std::string good = good_bundle().manifest;
    for (const char* bad : {"[]", "{", "{}"})
        EXPECT_TRUE(KernelManifest::parse(bad).error().is(KernelError::kBadManifest)) << bad;
    const std::pair<const char*, const char*> changes[] = {{R"("manifest":2)", R"("manifest":3)"},
                                                           {R"("abi":)", R"("abx":)"},
                                                           {R"("branch":"bb)", R"("branch":"B)"},
                                                           {R"("sandbox":0)", R"("sandbox":9)"},
                                                           {R"("fast")", R"("slow")"},
                                                           {R"([1,4096])", R"([1])"},
                                                           {R"([1,4096])", R"([0,4096])"},
                                                           {R"(["-O1"])", R"([1])"},
                                                           {R"("files":{)", R"("files":{"x":1,)"}};
    for (const auto& [from, to] : changes) {
        std::string text = good;
        ASSERT_NE(text.find(from), std::string::npos) << from;
        text.replace(text.find(from), std::string_view(from).size(), to);
        EXPECT_TRUE(KernelManifest::parse(text).error().is(KernelError::kBadManifest)) << to;
    }
    std::string verdict = good_bundle().verdict;
    verdict.replace(verdict.find("true"), 4, "\"no\"");
    EXPECT_TRUE(Verdict::parse(verdict).error().is(TrustError::kBadVerdict));
}

TEST(KernelBundle, AFileIsReadOnlyWhenNobodyElseCanHaveWrittenIt) {
    const TemporaryFolder folder;
    const auto path = folder / "kernel.bundle";
    std::ofstream(path) << "content";
    ::chmod(path.c_str(), 0644);
    EXPECT_EQ(*read_bundle_file(path), "content");
    EXPECT_TRUE(read_bundle_file(path, 3).error().is(KernelError::kTooLarge));
    ::chmod(path.c_str(), 0664);
    EXPECT_TRUE(read_bundle_file(path).error().is(KernelError::kBadMode));
    ::chmod(path.c_str(), 0602);
    EXPECT_TRUE(read_bundle_file(path).error().is(KernelError::kBadMode));
    ::chmod(path.c_str(), 0600);
    std::filesystem::create_symlink(path, folder / "link");
    EXPECT_TRUE(read_bundle_file(folder / "link").error().is(KernelError::kNotRegular));
    EXPECT_TRUE(read_bundle_file(folder.path()).error().is(KernelError::kNotRegular));
    EXPECT_TRUE(read_bundle_file(folder / "none").error().is(KernelError::kUnreadable));
}

TEST(KernelBundle, AFileOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    const TemporaryFolder folder;
    const auto path = folder / "kernel.bundle";
    std::ofstream(path) << "content";
    ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
    EXPECT_TRUE(read_bundle_file(path).error().is(KernelError::kBadOwner));
}

}  // namespace
}  // namespace esper::execution
