#include "esper/base/processor.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "base/temporary_folder.h"
#include "esper/base/files.h"

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

void add_processor(const std::filesystem::path& root, int cpu, const std::string& siblings) {
    const auto folder = root / ("cpu" + std::to_string(cpu)) / "topology";
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(write_file_atomic(folder / "thread_siblings_list", siblings + "\n"));
}

TEST(Processor, TwoProcessorsOfOneCoreAreOne) {
    const TemporaryFolder folder;
    for (int cpu : {0, 1, 4, 5}) add_processor(folder.path(), cpu, cpu % 2 == 0 ? "0,4" : "1,5");
    EXPECT_EQ(physical_cores({0, 1, 4, 5}, folder.path()), 2);
    EXPECT_EQ(physical_cores({0, 4}, folder.path()), 1) << "only those that the process may use";
}

TEST(Processor, CoresThatCannotBeToldAreNone) {
    const TemporaryFolder folder;
    EXPECT_EQ(physical_cores({0, 1}, folder.path()), 0);
}

}  // namespace
}  // namespace esper
