#include "esper/execution/kernels/kernel_guard.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

using esper::testing::compile_kernel;
using esper::testing::kDouble;
using namespace std::chrono_literals;

struct Guarded {
    OwnedFd image;
    Result<std::unique_ptr<KernelGuard>> guard;
};

Guarded guarded(const std::string& object, std::chrono::nanoseconds deadline = 20s) {
    OwnedFd image = std::move(*seal_image(object));
    auto guard = KernelGuard::start(image.get(), KernelGuard::default_helper(), deadline);
    return {std::move(image), std::move(guard)};
}

class KernelGuardTest : public ::testing::Test {
  protected:
    /// Runs a kernel of this body on three floats.
    Status run(const std::string& body, std::chrono::nanoseconds deadline = 20s) {
        last_ = guarded(compile_kernel(body));
        if (!last_.guard) return tl::unexpected<Error>(last_.guard.error());
        return again(deadline);
    }
    Status again(std::chrono::nanoseconds deadline = 20s) {
        return (*last_.guard)->run(std::span(&in_, 1), std::span(&out_, 1), deadline);
    }
    std::vector<float> x_ = {1, 2, 3}, y_ = {-1, -1, -1};
    KernelTensor in_{x_.data(), {3}, KernelDtype::kF32};
    KernelTensor out_{y_.data(), {3}, KernelDtype::kF32};
    Guarded last_;
};

TEST_F(KernelGuardTest, ASoundKernelGivesTheSameAsInProcess) {
    ASSERT_TRUE(run(kDouble));
    EXPECT_EQ(y_, (std::vector<float>{2, 4, 6}));
    for (int n : {1, 5000, 40, 0, 1'000'000}) {
        std::vector<float> x(static_cast<std::size_t>(n), 1.5f), y(x.size());
        in_ = {x.data(), {n}, KernelDtype::kF32};
        out_ = {y.data(), {n}, KernelDtype::kF32};
        ASSERT_TRUE(again());
        EXPECT_EQ(y, std::vector<float>(x.size(), 3.0f));
    }
}

TEST_F(KernelGuardTest, ACrashIsAnErrorAndTheOutputIsUntouched) {
    const Status s = run("*(volatile int*)8 = 1;");
    EXPECT_TRUE(s.error().is(KernelError::kCrashed)) << s.error().to_string();
    EXPECT_NE(s.error().message().find("Segmentation fault"), std::string::npos);
    EXPECT_EQ(y_[0], -1);
    EXPECT_FALSE((*last_.guard)->alive());
    EXPECT_TRUE(again().error().is(KernelError::kGuardUnavailable));
    EXPECT_TRUE(run("abort();").error().is(KernelError::kCrashed));
    EXPECT_TRUE(
        run("volatile int z = 0; y[0] = (float)(7 / z);").error().is(KernelError::kCrashed));
}

TEST_F(KernelGuardTest, AHangIsKilledAtItsDeadline) {
    const auto start = std::chrono::steady_clock::now();
    const Status s = run("for (;;) {}", 50ms);
    EXPECT_TRUE(s.error().is(KernelError::kTimedOut)) << s.error().to_string();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(KernelGuardTest, AnExitIsAnErrorWithItsCode) {
    const Status s = run("exit(3);");
    EXPECT_TRUE(s.error().is(KernelError::kExited));
    EXPECT_NE(s.error().message().find("exit code 3"), std::string::npos);
}

TEST_F(KernelGuardTest, WritingOutsideOfTheOutputIsFoundOrKilled) {
    EXPECT_TRUE(run("like(out, in); y[3] = 1;").error().is(KernelError::kOverrun));
    EXPECT_TRUE(run("like(out, in); y[-1] = 1;").error().is(KernelError::kOverrun));
    EXPECT_TRUE(run("like(out, in); y[16] = 1;").error().is(KernelError::kCrashed));
    EXPECT_TRUE(run("like(out, in); ((float*)x)[0] = 1;").error().is(KernelError::kCrashed))
        << "inputs are read only";
}

TEST_F(KernelGuardTest, WrongAnswersAreErrorsAndTheProcessGoesOn) {
    EXPECT_TRUE(run("return 5;").error().is(KernelError::kReturnedError));
    EXPECT_TRUE(again().error().is(KernelError::kReturnedError));
    EXPECT_TRUE(run("like(out, in); out->rank = 2;").error().is(KernelError::kWrongShape));
    EXPECT_TRUE(run("like(out, in); out->dtype = 3;").error().is(KernelError::kWrongDtype));
    EXPECT_TRUE((*last_.guard)->alive());
}

TEST_F(KernelGuardTest, AKernelThatClosesItsDescriptorsIsPutToAnEnd) {
    const Status s = run("for (int i = 0; i < 64; ++i) close(i); for (;;) pause();");
    EXPECT_TRUE(s.error().is(KernelError::kCrashed)) << s.error().to_string();
}

TEST_F(KernelGuardTest, WhatAConstructorDoesHappensInTheGuard) {
    auto crash = guarded(compile_kernel(
        kDouble, "", "__attribute__((constructor)) static void boom(void) { abort(); }"));
    EXPECT_TRUE(crash.guard.error().is(KernelError::kCrashed));
    auto hang = guarded(
        compile_kernel(kDouble, "",
                       "__attribute__((constructor)) static void boom(void) { for (;;) pause(); }"),
        100ms);
    EXPECT_TRUE(hang.guard.error().is(KernelError::kTimedOut));
}

TEST_F(KernelGuardTest, ALibraryWithoutTheInterfaceIsRefused) {
    EXPECT_TRUE(guarded("no library").guard.error().is(KernelError::kNotLoadable));
    EXPECT_TRUE(
        guarded(compile_kernel(kDouble, "-DNO_ABI")).guard.error().is(KernelError::kMissingSymbol));
    EXPECT_TRUE(guarded(compile_kernel(kDouble, "-UABI -DABI=1"))
                    .guard.error()
                    .is(KernelError::kAbiMismatch));
}

TEST_F(KernelGuardTest, WithoutItsHelperTheGuardSaysSo) {
    const OwnedFd image = std::move(*seal_image("x"));
    const auto r = KernelGuard::start(image.get(), "/nowhere/esper-kernel-guard", 1s);
    EXPECT_TRUE(r.error().is(KernelError::kGuardUnavailable));
}

TEST_F(KernelGuardTest, AnOutputThatFitsNowhereIsAnErrorNotACrash) {
    ASSERT_TRUE(run(kDouble));
    std::vector<float> y(1);
    const KernelTensor huge{y.data(), {std::int64_t{1} << 60}, KernelDtype::kF32};
    const Status s = (*last_.guard)->run(std::span(&in_, 1), std::span(&huge, 1), 1s);
    EXPECT_TRUE(s.error().is(KernelError::kOutOfMemory));
}

TEST_F(KernelGuardTest, TheProcessEndsWithItsGuard) {
    ASSERT_TRUE(run(kDouble));
    const pid_t process = (*last_.guard)->process();
    EXPECT_EQ(::kill(process, 0), 0);
    last_.guard->reset();
    EXPECT_NE(::kill(process, 0), 0);
}

TEST_F(KernelGuardTest, AProcessKilledFromOutsideIsAnError) {
    ASSERT_TRUE(run(kDouble));
    ::kill((*last_.guard)->process(), SIGKILL);
    EXPECT_TRUE(again().error().is(KernelError::kCrashed));
}

}  // namespace
}  // namespace esper::execution
