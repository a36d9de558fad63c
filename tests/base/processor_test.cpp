#include "esper/base/processor.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace esper {
namespace {

TEST(Processor, HasNoMorePhysicalCoresThanHardwareThreads) {
    EXPECT_GE(physical_cores(), 1);
    EXPECT_LE(physical_cores(), static_cast<int>(std::thread::hardware_concurrency()));
}

TEST(Processor, CountsOnlyTheCoresThatTheProcessMayUse) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &before)) continue;
        CPU_SET(cpu, &one);
        break;
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(physical_cores(), 1);
    ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

}  // namespace
}  // namespace esper
