#include <gtest/gtest.h>

#include <thread>

#include "esper/base/random.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "execution/kernels/test_source.h"
#include "execution/states/interleaving.h"
#include "execution/states/scale.h"

namespace esper::execution {
namespace {

using esper::testing::Interleaver;
using esper::testing::Scenario;
using esper::testing::TestKernel;
using esper::testing::TestSource;
using esper::testing::TracedAtomics;
using Table = BasicPinTable<TracedAtomics>;

TEST(KernelCacheConcurrency, ReadersOnlyEverSeeTheKernelTheyAskedFor) {
    {
        TestSource source;
        ThreadPool pool(1);
        KernelCache cache({.max_bytes = 1 << 20, .max_entries = 8}, source, nullptr, &pool);
        std::vector<std::thread> threads;
        std::atomic<std::uint64_t> wrong{0};
        for (std::uint32_t t = 0; t < 3; ++t) {
            threads.emplace_back([&, t] {
                RandomStream random(2, "cache readers", 0, t);
                for (std::uint64_t i = 0; i < esper::testing::scaled(100'000); ++i) {
                    // Most of it within reach, some of it never.
                    const std::uint64_t id =
                        random.below(10) != 0 ? random.below(6) : random.below(64);
                    const auto pin = cache.get(id);
                    if (!pin || dynamic_cast<TestKernel*>(pin->get())->id() != id) ++wrong;
                    if (i % 997 == 0) cache.remove(id);
                }
            });
        }
        for (auto& t : threads) t.join();
        EXPECT_EQ(wrong, 0u);
        const CacheStats s = cache.stats();
        EXPECT_LE(s.entries, 8u);
        EXPECT_EQ(s.hits + s.total_misses(), 3 * esper::testing::scaled(100'000));
    }
    EXPECT_EQ(TestKernel::alive(), 0);
}

#if !defined(__SANITIZE_THREAD__)

std::uint64_t id_of(const CachedKernel* kernel) {
    return dynamic_cast<const TestKernel*>(kernel)->id();
}

std::unique_ptr<CachedKernel> kernel(std::uint64_t id) {
    return std::make_unique<TestKernel>(id, "");
}

TEST(KernelCacheInterleaving, AReaderNeverHoldsAnEntryThatWasGivenToAnotherKey) {
    const auto e = Interleaver().explore([] {
        auto table = std::make_shared<Table>(1u);
        table->unpin(table->insert(1, kernel(1)));
        auto wrong = std::make_shared<bool>(false);
        auto reader = [=] {
            const std::uint32_t entry = table->find(1);
            if (entry == Table::kNone) return;
            if (id_of(table->value(entry)) != 1) *wrong = true;
            table->unpin(entry);
        };
        // Removes the key and inserts it again: a reader must notice that the entry was replaced.
        auto writer = [=] {
            if (!table->evict_unpinned(0)) return;
            table->unpin(table->insert(2, kernel(2)));
            if (table->evict_unpinned(0)) table->unpin(table->insert(1, kernel(1)));
        };
        return Scenario{{reader, writer}, [=]() -> std::string {
                            if (*wrong) return "another key's kernel was seen";
                            const bool one = table->holds(0, 1), two = table->holds(0, 2);
                            return one != two ? "" : "an entry was lost";
                        }};
    });
    EXPECT_EQ(e.failure, "");
    EXPECT_GT(e.states, 100u);
}

TEST(KernelCacheInterleaving, ARemovedEntryIsReclaimedExactlyOnceWhoeverComesLast) {
    const auto e = Interleaver().explore([] {
        auto table = std::make_shared<Table>(1u);
        table->unpin(table->insert(1, kernel(1)));
        auto reclaimed = std::make_shared<int>(0);
        auto reader = [=] {
            const std::uint32_t entry = table->find(1);
            if (entry == Table::kNone) return;
            (void)id_of(table->value(entry));
            table->unpin(entry);
        };
        auto writer = [=] {
            if (table->remove(0)) ++*reclaimed;
            table->collect_orphans([&](auto) { ++*reclaimed; });
        };
        return Scenario{{reader, reader, writer}, [=]() -> std::string {
                            table->collect_orphans([&](auto) { ++*reclaimed; });
                            return *reclaimed == 1 ? "" : "reclaimed " + std::to_string(*reclaimed);
                        }};
    });
    EXPECT_EQ(e.failure, "");
    EXPECT_GT(e.states, 500u);
}

#endif

}  // namespace
}  // namespace esper::execution
