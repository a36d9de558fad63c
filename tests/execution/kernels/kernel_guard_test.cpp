#include "esper/execution/kernels/kernel_guard.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/without_rights.h"
#include "esper/execution/kernels/branch_library.h"
#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

using esper::testing::compile_kernel;
using esper::testing::kDouble;
using esper::testing::TestCall;

const std::vector<float> kUntouched(12, -1.0F);

/// A test kernel's forward pass of three rows in the guard.
Status forward(TestCall& call, const std::string& body, ChildLimits limits = KernelGuard::kLimits) {
    ESPER_TRY(const auto kernel, load_branch_library("test", compile_kernel(body)));
    ESPER_TRY(const auto guard, KernelGuard::make(limits));
    return guard.call(kernel.forward, *kernel.info, call.forward);
}

TEST(KernelGuard, GivesTheBitsThatTheKernelGivesInProcess) {
    const auto kernel = value_or_throw(load_branch_library("test", compile_kernel(kDouble)));
    const auto guard = value_or_throw(KernelGuard::make());
    for (const std::int64_t rows : {1, 3, 1000, 1024, 5000}) {
        TestCall here(rows);
        TestCall there(rows);
        for (std::size_t i = 0; i < here.x.size(); ++i)
            here.x[i] = there.x[i] = 1.0F / static_cast<float>(i + 1);
        ASSERT_EQ(kernel.forward(&here.forward), 0);
        ASSERT_EQ(kernel.backward(&here.backward), 0);
        value_or_throw(guard.call(kernel.forward, *kernel.info, there.forward));
        value_or_throw(guard.call(kernel.backward, *kernel.info, there.backward));
        EXPECT_EQ(there.y, here.y);
        EXPECT_EQ(there.dx, here.dx);
        EXPECT_EQ(there.dw, here.dw);
        EXPECT_EQ(there.saved, here.saved);
    }
}

TEST(KernelGuard, ACrashIsAnErrorAndNothingWasWritten) {
    for (const char* body : {"y[0] = 7; *(volatile int*)8 = 1;", "y[0] = 7; __builtin_trap();"}) {
        TestCall call(3);
        const auto done = forward(call, body);
        ASSERT_FALSE(done) << body;
        EXPECT_TRUE(done.error().is(KernelError::kCrashed)) << done.error().to_string();
        EXPECT_EQ(call.y, kUntouched);
    }
}

TEST(KernelGuard, WritingPastTheEndOfAResultIsACrash) {
    for (const char* body : {"y[n] = 1;", "saved[n] = 1;"}) {
        TestCall call(3);
        const auto done = forward(call, body);
        ASSERT_FALSE(done) << body;
        EXPECT_TRUE(done.error().is(KernelError::kCrashed)) << done.error().to_string();
    }
}

TEST(KernelGuard, ChangingWhatItMayOnlyReadIsFoundAndUndone) {
    TestCall call(3);
    const auto done = forward(call, "((float*)x)[1] = 9;");
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(KernelError::kOverrun)) << done.error().to_string();
    EXPECT_EQ(call.x[1], 1.5F);
    const auto parameter = forward(call, "*(float*)call->parameters[0].data = 9;");
    EXPECT_TRUE(parameter.error().is(KernelError::kOverrun));
    EXPECT_EQ(call.w, 3.0F);
}

TEST(KernelGuard, AKernelSeesNothingOfThisProcess) {
    const std::vector<char> secret(1 << 20, 's');
    const auto* address = secret.data();
    TestCall call(3);
    std::memcpy(call.x.data(), &address, sizeof address);
    const auto done =
        forward(call, "const char* secret; __builtin_memcpy(&secret, x, 8); y[0] = *secret;");
    ASSERT_FALSE(done) << call.y[0];
    EXPECT_TRUE(done.error().is(KernelError::kCrashed)) << done.error().to_string();
}

TEST(KernelGuard, AKernelRoundsAsThisThreadDoes) {
#if defined(__x86_64__)
    TestCall call(3);
    call.x[0] = 1e-40F;  // a denormal number
    const auto before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);  // flush to zero, denormals are zero
    const auto flushed = forward(call, "y[0] = 1e10f * x[0];");
    _mm_setcsr(before);
    ASSERT_TRUE(flushed);
    EXPECT_EQ(call.y[0], 0);
    ASSERT_TRUE(forward(call, "y[0] = 1e10f * x[0];"));
    EXPECT_NEAR(call.y[0], 1e-30F, 1e-34F);
#endif
}

TEST(KernelGuard, AFunctionOfNoKernelIsNotCalled) {
    TestCall call(3);
    const auto kernel = value_or_throw(load_branch_library("test", compile_kernel(kDouble)));
    const auto guard = value_or_throw(KernelGuard::make());
    const auto done = guard.call([](const EsperKernelCall*) -> std::int32_t { return 0; },
                                 *kernel.info, call.forward);
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(KernelError::kGuardUnavailable)) << done.error().to_string();
}

TEST(KernelGuard, AnErrorCodeIsNamed) {
    TestCall call(3);
    const auto done = forward(call, "return 7;");
    EXPECT_TRUE(done.error().is(KernelError::kReturnedError));
    EXPECT_EQ(done.error().message(), "it returned 7");
    EXPECT_EQ(call.y, kUntouched);
}

TEST(KernelGuard, AHangIsEndedWhenItHasUsedItsTime) {
    TestCall call(3);
    const auto done = forward(call, "for (volatile int i = 0;; ++i) {}",
                              {.cpu_seconds = 1, .wall_seconds = 300, .memory_bytes = 0});
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(KernelError::kTimedOut)) << done.error().to_string();
}

TEST(KernelGuard, AKernelThatEndsTheProcessIsFound) {
#if defined(__x86_64__)
    TestCall call(3);
    // exit_group(5), without a library.
    const auto done =
        forward(call, "__asm__ volatile(\"syscall\" : : \"a\"(231), \"D\"(5) : \"rcx\", \"r11\");");
    EXPECT_TRUE(done.error().is(KernelError::kExited)) << done.error().to_string();
#endif
}

TEST(KernelGuard, WithoutAProcessTheKernelIsNotBlamed) {
    const auto kernel = value_or_throw(load_branch_library("test", compile_kernel(kDouble)));
    EXPECT_EQ(exit_code_without_rights([&] {
                  const auto guard = KernelGuard::make();
                  const rlimit none{0, 0};
                  if (!guard || ::setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
                  TestCall call(3);
                  const auto done = guard->call(kernel.forward, *kernel.info, call.forward);
                  return !done && done.error().is(KernelError::kGuardUnavailable) ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace esper::execution
