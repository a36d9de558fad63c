#include "esper/base/process_usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <latch>
#include <memory>
#include <thread>

namespace esper {
namespace {

ProcessUsage usage() { return value_or_throw(process_usage()); }

TEST(ProcessUsage, SeesMemoryDescriptorsAndThreadsComeAndGo) {
    const ProcessUsage before = usage();
    constexpr std::size_t kBytes = 32 << 20;
    const auto memory = std::make_unique<char[]>(kBytes);
    std::memset(memory.get(), 1, kBytes);
    EXPECT_GE(usage().resident_bytes, before.resident_bytes + kBytes / 2);

    const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(usage().descriptors, before.descriptors + 1);
    ::close(descriptor);
    EXPECT_EQ(usage().descriptors, before.descriptors);

    std::latch looked(1);
    std::thread other([&] { looked.wait(); });
    EXPECT_EQ(usage().threads, before.threads + 1);
    looked.count_down();
    other.join();
}

TEST(ProcessUsage, ThePeakStaysWhenTheMemoryHasGone) {
    constexpr std::size_t kBytes = 64 << 20;
    const auto before = usage().resident_bytes;
    {
        const auto memory = std::make_unique<char[]>(kBytes);
        std::memset(memory.get(), 1, kBytes);
    }
    const auto peak = value_or_throw(peak_resident_bytes());
    EXPECT_GE(peak, before + kBytes / 2);
    EXPECT_FALSE(peak_resident_bytes("/proc/self/no such folder"));
}

TEST(ProcessUsage, SaysSoWhereThereIsNoProc) {
    const auto nothing = process_usage("/proc/self/no such folder");
    ASSERT_FALSE(nothing);
    EXPECT_TRUE(nothing.error().is(UsageError::kUnreadable)) << nothing.error().to_string();
}

TEST(UsageTrend, FindsTheSlopeOfALeakBehindTheWarmUp) {
    UsageTrend leak;
    UsageTrend level;
    for (int i = 0; i < 90; ++i) {
        // 1 MB per sample during the warm-up, then a jitter of one page.
        const double warm = i < 30 ? 1e6 * i : 30e6;
        const double jitter = i % 2 == 0 ? 4096 : 0;
        const auto at = [&](double bytes) {
            return ProcessUsage{static_cast<std::uint64_t>(bytes), 5, 2};
        };
        level.add(1000.0 * i, at(warm + jitter));
        leak.add(1000.0 * i, at(warm + jitter + 64.0 * 1000 * i));
    }
    EXPECT_NEAR(leak.bytes_per_unit(), 64, 1);
    EXPECT_NEAR(leak.growth_bytes(), 64 * 59'000, 1e5);
    EXPECT_NEAR(level.bytes_per_unit(), 0, 1);
    EXPECT_FALSE(leak.is_flat(1 << 20));
    EXPECT_TRUE(level.is_flat(1 << 20));
}

TEST(UsageTrend, OneDescriptorOrThreadTooManyIsNotFlat) {
    UsageTrend descriptors;
    UsageTrend threads;
    for (std::uint64_t i = 0; i < 9; ++i) {
        descriptors.add(static_cast<double>(i), {1000, 5 + i / 8, 2});
        threads.add(static_cast<double>(i), {1000, 5, 2 + i / 8});
    }
    EXPECT_EQ(descriptors.descriptor_growth(), 1);
    EXPECT_EQ(threads.thread_growth(), 1);
    EXPECT_FALSE(descriptors.is_flat(1 << 20));
    EXPECT_FALSE(threads.is_flat(1 << 20));
}

TEST(UsageTrend, WithoutSamplesNothingGrew) {
    const UsageTrend none;
    EXPECT_EQ(none.growth_bytes(), 0);
    EXPECT_EQ(none.descriptor_growth(), 0);
    EXPECT_EQ(none.thread_growth(), 0);
}

}  // namespace
}  // namespace esper
