// Kernels that are removed leave no memory or mappings behind. `esper soak` tests this for hours.
#include <gtest/gtest.h>

#include <fstream>

#include "esper/base/process_usage.h"
#include "esper/base/random.h"
#include "esper/execution/kernels/branch_source.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "execution/kernels/test_kernels.h"
#include "execution/kernels/test_source.h"
#include "execution/states/scale.h"

namespace esper::execution {
namespace {

using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::kDouble;
using esper::testing::TestKernel;
using esper::testing::TestSource;

constexpr double kAllowedBytes = 2 << 20;

std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    std::size_t n = 0;
    for (std::string line; std::getline(maps, line);) ++n;
    return n;
}

bool memory_can_be_judged() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return false;  // a sanitizer keeps freed memory
#else
    return true;
#endif
}

TEST(KernelCacheMemory, MachineCodeThatIsReplacedLeavesNothingMapped) {
    const std::string& object = compile_kernel(kDouble);
    VerifiedBranchSource source([](std::uint64_t) { return std::string(); },
                                esper::testing::test_trust().ring,
                                [](std::uint64_t) { return KernelWant{}; });
    esper::testing::TestCall call(3);
    UsageTrend trend;
    std::size_t mapped_after_warm_up = 0;
    const std::uint64_t loads = esper::testing::scaled(1500);
    for (std::uint64_t i = 0; i < loads; ++i) {
        const std::string artifact = "kernel-" + std::to_string(i);
        auto kernel = source.load(kernel_id_of(artifact), bundle_of(artifact, object));
        ASSERT_TRUE(kernel) << kernel.error().to_string();
        const auto& loaded = dynamic_cast<CachedBranch&>(**kernel);
        ASSERT_EQ(loaded.library().forward(&call.forward), 0);
        kernel->reset();
        trend.add(static_cast<double>(i), value_or_throw(process_usage()));
        if (i == loads / 3) mapped_after_warm_up = mappings();
    }
    EXPECT_LE(trend.descriptor_growth(), 0);
    EXPECT_LE(trend.thread_growth(), 0);
    // The allocator may map one more arena. A leak of three mappings per kernel would be thousands.
    EXPECT_LE(mappings(), mapped_after_warm_up + 8);
    if (memory_can_be_judged()) {
        EXPECT_LE(trend.growth_bytes(), kAllowedBytes);
    }
}

TEST(KernelCacheMemory, MissesForgottenFailuresAndRemovalsStayFlat) {
    UsageTrend trend;
    {
        TestSource source;
        // Every fifth load fails, since the cache also keeps records of failures.
        source.refuse = [n = 0](const std::string&) mutable { return ++n % 5 == 0; };
        KernelCache cache({.max_entries = 64, .first_backoff = std::chrono::nanoseconds(1)},
                          source);
        RandomStream random(7, "cache memory");
        const std::uint64_t laps = 90;
        for (std::uint64_t lap = 0; lap < laps; ++lap) {
            for (std::uint64_t i = 0; i < esper::testing::scaled(5000); ++i) {
                const std::uint64_t id = random.below(100'000);
                (void)cache.get(id);
                if (i % 16 == 0) cache.remove(random.below(100'000));
            }
            trend.add(static_cast<double>(lap), value_or_throw(process_usage()));
            ASSERT_LE(TestKernel::alive(), 65);
        }
    }
    EXPECT_EQ(TestKernel::alive(), 0);
    EXPECT_LE(trend.descriptor_growth(), 0);
    if (memory_can_be_judged()) {
        EXPECT_LE(trend.growth_bytes(), kAllowedBytes);
    }
}

}  // namespace
}  // namespace esper::execution
