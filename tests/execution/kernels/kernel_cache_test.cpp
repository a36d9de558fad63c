#include "esper/execution/kernels/kernel_cache.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/temporary_folder.h"
#include "execution/kernels/test_source.h"

namespace esper::execution {

struct KernelCacheTestAccess {
    static std::unique_lock<std::mutex> hold_lock(KernelCache& cache) {
        return std::unique_lock(cache.mutex_);
    }
};

namespace {

using esper::testing::TestKernel;
using esper::testing::TestSource;
using esper::testing::TestSourceError;

std::uint64_t misses(const KernelCache& cache, MissCause cause) {
    return cache.stats().misses[static_cast<std::size_t>(cause)];
}

const TestKernel& kernel_of(const KernelPin& pin) {
    return dynamic_cast<const TestKernel&>(*pin.get());
}

TEST(KernelCache, AMissLoadsAndTheNextCallHits) {
    TestSource source;
    KernelCache cache({}, source);
    EXPECT_FALSE(cache.find(7));
    {
        const auto pin = cache.get(7);
        ASSERT_TRUE(pin);
        EXPECT_EQ(kernel_of(*pin).id(), 7u);
    }
    EXPECT_TRUE(cache.find(7));
    EXPECT_TRUE(cache.get(7));
    EXPECT_EQ(source.fetches, 1);
    const CacheStats s = cache.stats();
    EXPECT_EQ(s.hits, 2u);
    EXPECT_EQ(s.total_misses(), 1u);
    EXPECT_EQ(misses(cache, MissCause::kCold), 1u);
    EXPECT_DOUBLE_EQ(s.hit_rate(), 2.0 / 3);
    EXPECT_EQ(s.entries, 1u);
    EXPECT_EQ(s.fetched, 1u);
}

TEST(KernelCache, AHitTakesNoLock) {
    TestSource source;
    KernelCache cache({}, source);
    ASSERT_TRUE(cache.get(1));
    const auto held = KernelCacheTestAccess::hold_lock(cache);
    auto hits = std::async(std::launch::async, [&] {
        int n = 0;
        for (int i = 0; i < 1000; ++i) n += cache.get(1).has_value();
        return n;
    });
    ASSERT_EQ(hits.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(hits.get(), 1000);
}

TEST(KernelCache, BothBoundsHold) {
    TestSource source;
    {
        KernelCache few({.max_bytes = 1 << 20, .max_entries = 4}, source);
        KernelCache small({.max_bytes = 1050, .max_entries = 128}, source);
        for (std::uint64_t id = 0; id < 200; ++id) {
            ASSERT_TRUE(few.get(id));
            ASSERT_TRUE(small.get(id));
            EXPECT_LE(few.stats().entries, 4u);
            EXPECT_LE(small.stats().bytes, 1050u);
        }
        EXPECT_EQ(few.stats().evictions, 196u);
        EXPECT_GE(small.stats().entries, 10u);
        EXPECT_EQ(TestKernel::alive(), static_cast<int>(4 + small.stats().entries));
    }
    EXPECT_EQ(TestKernel::alive(), 0);
}

TEST(KernelCache, AKernelInUseIsNeverEvictedOrDestroyed) {
    TestSource source;
    KernelCache cache({.max_bytes = 1 << 20, .max_entries = 2}, source);
    const KernelPin pin = std::move(*cache.get(1));
    for (std::uint64_t id = 2; id < 50; ++id) ASSERT_TRUE(cache.get(id));
    EXPECT_EQ(kernel_of(pin).id(), 1u);
    EXPECT_TRUE(cache.find(1));
}

TEST(KernelCache, WhenEverythingIsInUseANewKernelIsGivenButNotKept) {
    TestSource source;
    KernelCache cache({.max_bytes = 1 << 20, .max_entries = 2}, source);
    const KernelPin a = std::move(*cache.get(1)), b = std::move(*cache.get(2));
    {
        const KernelPin c = std::move(*cache.get(3));
        EXPECT_EQ(kernel_of(c).id(), 3u);
        EXPECT_FALSE(cache.find(3));
    }
    EXPECT_EQ(TestKernel::alive(), 2);
    ASSERT_TRUE(cache.get(3));
    EXPECT_EQ(misses(cache, MissCause::kTooLarge), 1u);
}

TEST(KernelCache, AKernelLargerThanTheBudgetIsGivenButNotKept) {
    TestSource source;
    source.size = [](std::uint64_t id) { return id == 9 ? 5000 : 10; };
    KernelCache cache({.max_bytes = 1000}, source);
    ASSERT_TRUE(cache.get(1));
    ASSERT_TRUE(cache.get(9));
    EXPECT_FALSE(cache.find(9));
    EXPECT_TRUE(cache.find(1)) << "and it pushes nothing out";
}

TEST(KernelCache, ManyThreadsThatMissTheSameKernelLoadItOnce) {
    TestSource source;
    source.delay_ms = 50;
    KernelCache cache({}, source);
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] { good += cache.get(5).has_value(); });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(good, 8);
    EXPECT_EQ(source.fetches, 1);
    EXPECT_EQ(cache.stats().joined + cache.stats().hits, 7u);
}

TEST(KernelCache, OthersAreServedWhileOneKernelLoads) {
    TestSource source;
    KernelCache cache({}, source);
    ASSERT_TRUE(cache.get(1));
    source.delay_ms = 300;
    std::thread slow([&] { EXPECT_TRUE(cache.get(2)); });
    while (source.fetches < 2) std::this_thread::yield();
    source.delay_ms = 0;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(cache.get(1));
    EXPECT_TRUE(cache.get(3));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(250));
    slow.join();
}

TEST(KernelCache, AFailureIsRememberedAndRetriedAfterAGrowingPause) {
    TestSource source;
    source.failing = true;
    ManualClock clock;
    KernelCache cache({}, source, nullptr, nullptr, clock);
    EXPECT_TRUE(cache.get(1).error().is(TestSourceError::kNoSuchKernel));
    const auto refused = cache.get(1);
    EXPECT_TRUE(refused.error().is(CacheError::kBackingOff));
    EXPECT_NE(refused.error().message().find("next try in 100 ms"), std::string::npos);
    EXPECT_EQ(source.fetches, 1);
    clock.advance(std::chrono::milliseconds(101));
    EXPECT_TRUE(cache.get(1).error().is(TestSourceError::kNoSuchKernel));
    clock.advance(std::chrono::milliseconds(150));
    EXPECT_TRUE(cache.get(1).error().is(CacheError::kBackingOff)) << "the second pause is 200 ms";
    for (int i = 0; i < 40; ++i) {
        clock.advance(std::chrono::seconds(61));  // the pause never exceeds 60 s
        EXPECT_TRUE(cache.get(1).error().is(TestSourceError::kNoSuchKernel));
    }
    source.failing = false;
    clock.advance(std::chrono::seconds(61));
    EXPECT_TRUE(cache.get(1));
    EXPECT_EQ(misses(cache, MissCause::kBackingOff), 2u);
    EXPECT_EQ(cache.stats().load_failures, 42u);
}

TEST(KernelCache, ASourceThatThrowsIsAFailureLikeAnother) {
    TestSource source;
    source.throwing = true;
    KernelCache cache({}, source);
    const auto r = cache.get(1);
    EXPECT_TRUE(r.error().is(CacheError::kSourceThrew));
    EXPECT_NE(r.error().message().find("the library is on fire"), std::string::npos);
}

TEST(KernelCache, MissesAreCountedByTheirCause) {
    TestSource source;
    KernelCache cache({.max_bytes = 1 << 20, .max_entries = 2}, source);
    for (std::uint64_t id : {1u, 2u, 3u}) ASSERT_TRUE(cache.get(id));
    ASSERT_FALSE(cache.find(1));
    ASSERT_TRUE(cache.get(1));
    EXPECT_EQ(misses(cache, MissCause::kCapacity), 1u);
    cache.remove(1);
    ASSERT_TRUE(cache.get(1));
    EXPECT_EQ(misses(cache, MissCause::kRemoved), 1u);
    EXPECT_EQ(misses(cache, MissCause::kCold), 3u);
    for (std::size_t c = 0; c < kMissCauses; ++c) {
        EXPECT_FALSE(to_text(static_cast<MissCause>(c)).empty());
    }
}

TEST(KernelCache, ABannedKernelIsGoneAtOnceAndNeverLoadedAgain) {
    TestSource source;
    KernelCache cache({}, source);
    KernelPin pin = std::move(*cache.get(1));
    ASSERT_TRUE(cache.ban(1, "it crashed"));
    EXPECT_FALSE(cache.find(1));
    EXPECT_EQ(kernel_of(pin).id(), 1u) << "whoever runs it still may finish";
    const auto r = cache.get(1);
    EXPECT_TRUE(r.error().is(CacheError::kBanned));
    EXPECT_NE(r.error().message().find("it crashed"), std::string::npos);
    EXPECT_TRUE(cache.is_banned(1));
    EXPECT_EQ(misses(cache, MissCause::kBanned), 1u);
    EXPECT_EQ(cache.stats().entries, 1u) << "its memory counts until the last pin is gone";
    pin.reset();
    ASSERT_TRUE(cache.get(2));
    EXPECT_EQ(cache.stats().entries, 1u);
    EXPECT_EQ(TestKernel::alive(), 1);
}

TEST(KernelCache, ABanDuringALoadWins) {
    TestSource source;
    source.delay_ms = 100;
    KernelCache cache({}, source);
    std::thread loader([&] { EXPECT_TRUE(cache.get(1).error().is(CacheError::kBanned)); });
    while (source.fetches < 1) std::this_thread::yield();
    ASSERT_TRUE(cache.ban(1, "bad"));
    loader.join();
    EXPECT_FALSE(cache.find(1));
}

TEST(KernelCache, TheDiskTierServesASecondProcessAndItsBansHold) {
    TemporaryFolder folder;
    TestSource source;
    {
        auto disk = std::move(*DiskTier::open(folder.path(), 1 << 20));
        KernelCache cache({}, source, disk.get());
        ASSERT_TRUE(cache.get(1));
        ASSERT_TRUE(cache.get(2));
        ASSERT_TRUE(cache.ban(2, "faulted"));
        EXPECT_EQ(source.fetches, 2);
    }
    auto disk = std::move(*DiskTier::open(folder.path(), 1 << 20));
    KernelCache cache({}, source, disk.get());
    const auto pin = cache.get(1);
    ASSERT_TRUE(pin);
    EXPECT_EQ(kernel_of(*pin).bytes(), "1" + std::string(100, 'k'));
    EXPECT_EQ(source.fetches, 2);
    EXPECT_EQ(cache.stats().disk_hits, 1u);
    EXPECT_TRUE(cache.get(2).error().is(CacheError::kBanned));
}

TEST(KernelCache, ADiskCopyThatNoLongerLoadsIsReplacedFromTheLibrary) {
    TemporaryFolder folder;
    TestSource source;
    auto disk = std::move(*DiskTier::open(folder.path(), 1 << 20));
    ASSERT_TRUE(disk->put(1, "an old signature"));
    source.refuse = [](const std::string& bytes) { return bytes == "an old signature"; };
    KernelCache cache({}, source, disk.get());
    ASSERT_TRUE(cache.get(1));
    EXPECT_EQ(source.fetches, 1);
    EXPECT_EQ(disk->get(1), "1" + std::string(100, 'k'));
}

TEST(KernelCache, WhatUsuallyFollowsIsLoadedAhead) {
    TestSource source;
    ThreadPool pool(1);
    KernelCache cache({.max_bytes = 1 << 20, .max_entries = 6}, source, nullptr, &pool);
    auto settle = [&] {
        std::promise<void> done;
        pool.post([&] { done.set_value(); });
        done.get_future().wait();
        pool.submit([] {}).get();
    };
    for (std::uint64_t id : {10u, 11u, 12u}) ASSERT_TRUE(cache.get(id));
    for (std::uint64_t id = 100; id < 120; ++id) ASSERT_TRUE(cache.get(id));
    settle();
    ASSERT_FALSE(cache.find(11));
    ASSERT_TRUE(cache.get(10));
    settle();
    EXPECT_TRUE(cache.find(11));
    settle();
    EXPECT_TRUE(cache.find(12));
    EXPECT_GE(cache.stats().prefetched, 2u);
    EXPECT_GE(cache.stats().prefetch_useful, 2u);
    cache.prefetch(500);
    cache.prefetch(12);
    settle();
    EXPECT_TRUE(cache.find(500));
}

TEST(KernelCache, PrefetchWithoutAPoolDoesNothing) {
    TestSource source;
    KernelCache cache({}, source);
    cache.prefetch(1);
    EXPECT_EQ(source.fetches, 0);
}

TEST(KernelCache, ACacheWithoutRoomIsRefused) {
    TestSource source;
    EXPECT_THROW(KernelCache({.max_entries = 0}, source), EsperException);
    try {
        KernelCache cache({.max_bytes = 0}, source);
        FAIL();
    } catch (const EsperException& e) {
        EXPECT_TRUE(e.error().is(CacheError::kBadOptions));
    }
}

}  // namespace
}  // namespace esper::execution
