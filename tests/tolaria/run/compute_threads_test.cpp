#include "esper/services/tolaria/run/compute_threads.h"

#include "small_runs.h"

namespace esper::tolaria {
namespace {

using testing_runs::Folder;

void add_processor(const std::filesystem::path& root, int cpu, const std::string& siblings) {
    const auto folder = root / ("cpu" + std::to_string(cpu)) / "topology";
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(write_file_atomic(folder / "thread_siblings_list", siblings + "\n"));
}

TEST(ComputeThreads, TwoProcessorsOfOneCoreAreOne) {
    Folder folder("cores");
    for (int cpu : {0, 1, 4, 5}) add_processor(folder.path, cpu, cpu % 2 == 0 ? "0,4" : "1,5");
    EXPECT_EQ(physical_cores({0, 1, 4, 5}, folder.path), 2);
    EXPECT_EQ(physical_cores({0, 4}, folder.path), 1) << "only those that the process may use";
}

TEST(ComputeThreads, CoresThatCannotBeToldAreNone) {
    Folder folder("no-cores");
    EXPECT_EQ(physical_cores({0, 1}, folder.path), 0);
    EXPECT_GE(default_threads(), 1);
}

}  // namespace
}  // namespace esper::tolaria
