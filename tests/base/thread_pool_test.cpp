#include "esper/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace esper {
namespace {

TEST(ThreadPool, ReturnsResultsThroughFutures) {
    ThreadPool pool(2);
    std::vector<std::future<int>> results;
    for (int i = 0; i < 100; ++i) results.push_back(pool.submit([i] { return i * i; }));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i * i);
}

TEST(ThreadPool, AnExceptionTravelsThroughTheFuture) {
    ThreadPool pool(1);
    auto result = pool.submit([]() -> int { throw std::runtime_error("no"); });
    EXPECT_THROW(result.get(), std::runtime_error);
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1) << "the worker must have survived";
}

TEST(ThreadPool, OneWorkerKeepsTheOrder) {
    std::vector<int> order;
    {
        ThreadPool pool(1);
        for (int i = 0; i < 50; ++i) pool.post([&order, i] { order.push_back(i); });
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order.at(static_cast<std::size_t>(i)), i);
}

TEST(ThreadPool, TheDestructorFinishesWhatIsQueuedAndWhatThatPosts) {
    std::atomic<int> done{0};
    {
        ThreadPool pool(3);
        for (int i = 0; i < 20; ++i) {
            pool.post([&] {
                pool.post([&] {
                    pool.post([&] { ++done; });
                    ++done;
                });
                ++done;
            });
        }
    }
    EXPECT_EQ(done.load(), 60);
}

TEST(ThreadPool, WorkersRunAtTheSameTime) {
    ThreadPool pool(3);
    std::mutex mutex;
    std::condition_variable all_here;
    int here = 0;
    // Each task waits for the two others, so with fewer workers the test would hang.
    const auto meet = [&] {
        std::unique_lock lock(mutex);
        ++here;
        all_here.notify_all();
        return all_here.wait_for(lock, std::chrono::seconds(20), [&] { return here == 3; });
    };
    auto a = pool.submit(meet), b = pool.submit(meet), c = pool.submit(meet);
    EXPECT_TRUE(a.get() && b.get() && c.get());
}

TEST(ThreadPool, HasAtLeastOneWorker) {
    ThreadPool pool(0);
    EXPECT_EQ(pool.size(), 1U);
    EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
}

}  // namespace
}  // namespace esper
