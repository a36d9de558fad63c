#include "esper/execution/kernels/kernel_bundle.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/execution/kernels/kernel_image.h"
#include "esper/execution/kernels/loaded_kernel.h"
#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::kDouble;
using esper::testing::test_keys;

const std::uint64_t kId = kernel_id_of("b3d4-cpu-fast-1");

Result<std::unique_ptr<CachedKernel>> load(const std::string& bytes) {
    VerifiedKernelSource source([](std::uint64_t) { return std::string(); }, {test_keys().open});
    return source.load(kId, bytes);
}

TEST(KernelBundle, WhatIsSignedByATrustedKeyLoads) {
    const auto kernel = load(bundle_of("b3d4-cpu-fast-1", compile_kernel(kDouble)));
    ASSERT_TRUE(kernel) << kernel.error().to_string();
    EXPECT_EQ(dynamic_cast<LoadedKernel&>(**kernel).artifact_id(), "b3d4-cpu-fast-1");
    EXPECT_GT((*kernel)->charge(), 1000u);
}

TEST(KernelBundle, AKeyThatOpenSslWillNotTakeIsAnErrorEverywhere) {
    ASSERT_TRUE(FaultPoints::arm("signature.openssl@1+"));
    EXPECT_TRUE(generate_key_pair().error().is(KernelError::kBadKey));
    EXPECT_TRUE(public_key_of(PrivateKey{}).error().is(KernelError::kBadKey));
    EXPECT_TRUE(sign(PrivateKey{}, "message").error().is(KernelError::kBadKey));
    EXPECT_TRUE(make_bundle("a", "object", PrivateKey{}).error().is(KernelError::kBadKey));
    FaultPoints::disarm_all();
    EXPECT_TRUE(sign(PrivateKey{}, "message"));
}

TEST(KernelBundle, ASignatureOfAnotherKeyIsRefused) {
    const KeyPair stranger = *generate_key_pair();
    const auto bundle = make_bundle("b3d4-cpu-fast-1", "object", stranger.secret);
    EXPECT_TRUE(load(serialise_bundle(*bundle)).error().is(KernelError::kBadSignature));
    EXPECT_EQ(*public_key_of(stranger.secret), stranger.open);
    PublicKey no_point;
    no_point.fill(0xff);
    EXPECT_FALSE(signed_by_one_of(std::span(&no_point, 1), bundle->manifest, bundle->signature));
}

TEST(KernelBundle, AChangedObjectOrManifestIsRefused) {
    auto bundle = *make_bundle("b3d4-cpu-fast-1", "object", test_keys().secret);
    auto tampered = bundle;
    tampered.object = "objecT";
    EXPECT_TRUE(load(serialise_bundle(tampered)).error().is(KernelError::kDigestMismatch));
    tampered = bundle;
    tampered.manifest.replace(tampered.manifest.find("b3d4"), 4, "b3d5");
    EXPECT_TRUE(load(serialise_bundle(tampered)).error().is(KernelError::kBadSignature));
}

TEST(KernelBundle, AGoodKernelUnderAnotherIdIsRefused) {
    EXPECT_TRUE(load(bundle_of("another", "object")).error().is(KernelError::kWrongKernel));
}

TEST(KernelBundle, AnotherInterfaceVersionIsRefusedBeforeAnythingIsMapped) {
    KernelBundle bundle = *make_bundle("b3d4-cpu-fast-1", "object", test_keys().secret);
    bundle.manifest.replace(bundle.manifest.find("\"abi\":1"), 7, "\"abi\":9");
    bundle.signature = *sign(test_keys().secret, bundle.manifest);
    EXPECT_TRUE(load(serialise_bundle(bundle)).error().is(KernelError::kAbiMismatch));
}

TEST(KernelBundle, NoDamageGetsThrough) {
    const std::string good = bundle_of("b3d4-cpu-fast-1", "some object");
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_FALSE(load(bad)) << "bit " << bit;
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_TRUE(parse_bundle(good.substr(0, n)).error().is(KernelError::kBadBundle));
    }
}

TEST(KernelBundle, AManifestMustSayWhatItMust) {
    for (const char* manifest :
         {"[]", "{", "{}", R"({"artifact":"a"})", R"({"artifact":"a","abi":1})",
          R"({"artifact":"a","abi":1,"files":{}})", R"({"artifact":1,"abi":1,"files":{}})"}) {
        KernelBundle bundle;
        bundle.manifest = manifest;
        EXPECT_TRUE(parse_bundle(serialise_bundle(bundle)).error().is(KernelError::kBadManifest))
            << manifest;
    }
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

TEST(KernelImage, SealedBytesCannotBeChanged) {
    const auto image = seal_image("kernel");
    ASSERT_TRUE(image);
    EXPECT_LT(::pwrite(image->get(), "x", 1, 0), 0);
    EXPECT_NE(::ftruncate(image->get(), 0), 0);
    char byte = 0;
    EXPECT_EQ(::pread(image->get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'k');
}

TEST(LoadedKernelTest, RunsAndChecksWhatTheKernelSaysItWrote) {
    float x[3] = {1, 2, 3}, y[3] = {};
    const KernelTensor in{x, {3}, KernelDtype::kF32};
    const KernelTensor out{y, {3}, KernelDtype::kF32};
    auto run = [&](const std::string& body) -> Status {
        auto kernel = load(bundle_of("b3d4-cpu-fast-1", compile_kernel(body)));
        if (!kernel) return tl::unexpected<Error>(kernel.error());
        auto& loaded = dynamic_cast<LoadedKernel&>(**kernel);
        ESPER_CHECK_STATUS(loaded.enter_process());
        ESPER_CHECK_STATUS(loaded.enter_process());
        return loaded.run(std::span(&in, 1), std::span(&out, 1));
    };
    ASSERT_TRUE(run(kDouble));
    EXPECT_EQ(y[2], 6);
    EXPECT_TRUE(run("return 7;").error().is(KernelError::kReturnedError));
    EXPECT_TRUE(run("").error().is(KernelError::kWrongDtype));
    EXPECT_TRUE(run("like(out, in); out->shape[0] = 2;").error().is(KernelError::kWrongShape));
    EXPECT_TRUE(run("out->dtype = 0;").error().is(KernelError::kWrongShape)) << "rank left unset";
    EXPECT_TRUE(run("like(out, in); out->rank = 99;").error().is(KernelError::kWrongShape));
}

TEST(LoadedKernelTest, ALibraryWithoutTheInterfaceIsRefused) {
    auto enter = [&](const std::string& object) {
        auto kernel = load(bundle_of("b3d4-cpu-fast-1", object));
        return dynamic_cast<LoadedKernel&>(**kernel).enter_process();
    };
    EXPECT_TRUE(enter("no library").error().is(KernelError::kNotLoadable));
    EXPECT_TRUE(enter(compile_kernel(kDouble, "-DNO_ABI")).error().is(KernelError::kMissingSymbol));
    EXPECT_TRUE(
        enter(compile_kernel(kDouble, "-UABI -DABI=1")).error().is(KernelError::kAbiMismatch));
}

TEST(LoadedKernelTest, ASecondKernelIsNotTakenForTheFirstOneUnloaded) {
    float x[1] = {3}, y[1] = {};
    const KernelTensor in{x, {1}, KernelDtype::kF32};
    const KernelTensor out{y, {1}, KernelDtype::kF32};
    for (int factor = 2; factor < 6; ++factor) {
        auto kernel = load(bundle_of(
            "b3d4-cpu-fast-1",
            compile_kernel("like(out, in); y[0] = " + std::to_string(factor) + " * x[0];")));
        auto& loaded = dynamic_cast<LoadedKernel&>(**kernel);
        ASSERT_TRUE(loaded.enter_process());
        ASSERT_TRUE(loaded.run(std::span(&in, 1), std::span(&out, 1)));
        EXPECT_EQ(y[0], 3.0f * static_cast<float>(factor));
    }
}

}  // namespace
}  // namespace esper::execution
