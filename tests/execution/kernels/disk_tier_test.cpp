#include "esper/execution/kernels/disk_tier.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"

namespace esper::execution {
namespace {

std::unique_ptr<DiskTier> open_tier(const TemporaryFolder& folder, std::uint64_t budget = 1 << 20) {
    return std::move(*DiskTier::open(folder.path(), budget));
}

std::size_t files_in(const std::filesystem::path& folder) {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& f : std::filesystem::directory_iterator(folder)) ++n;
    return n;
}

TEST(DiskTier, WhatWasPutIsFoundAlsoAfterReopening) {
    TemporaryFolder folder;
    ASSERT_TRUE(open_tier(folder)->put(0xabc, "kernel bytes"));
    auto tier = open_tier(folder);
    EXPECT_EQ(tier->get(0xabc), "kernel bytes");
    EXPECT_EQ(tier->get(0xabd), std::nullopt);
    EXPECT_EQ(tier->entries(), 1u);
    tier->remove(0xabc);
    EXPECT_EQ(tier->get(0xabc), std::nullopt);
    EXPECT_EQ(tier->bytes(), 0u);
    EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(DiskTier, TheLeastRecentlyUsedGoesWhenTheBudgetIsFull) {
    TemporaryFolder folder;
    auto tier = open_tier(folder, 3 * 1100);
    const std::string bytes(1000, 'x');
    for (std::uint64_t id : {1u, 2u, 3u}) ASSERT_TRUE(tier->put(id, bytes));
    ASSERT_TRUE(tier->get(1));
    ASSERT_TRUE(tier->put(4, bytes));
    EXPECT_FALSE(tier->get(2));
    EXPECT_TRUE(tier->get(1) && tier->get(3) && tier->get(4));
    EXPECT_EQ(files_in(folder.path()), 3u);
    ASSERT_TRUE(tier->put(5, std::string(10'000, 'x')));
    EXPECT_FALSE(tier->get(5)) << "larger than the budget";
    ASSERT_TRUE(tier->put(1, bytes));
    EXPECT_EQ(tier->entries(), 3u) << "put again is not a second file";
}

TEST(DiskTier, EveryDamagedBitAndEveryShorterFileIsRefused) {
    const std::string good = encode_disk_entry(5, "some kernel");
    ASSERT_EQ(*decode_disk_entry(5, good), "some kernel");
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_TRUE(decode_disk_entry(5, bad).error().is(CacheError::kBadDiskEntry));
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_FALSE(decode_disk_entry(5, std::string_view(good).substr(0, n)));
    }
    EXPECT_FALSE(decode_disk_entry(5, good + "x"));
    EXPECT_FALSE(decode_disk_entry(6, good)) << "another kernel's file";
}

TEST(DiskTier, ADamagedFileIsCountedAndRemoved) {
    TemporaryFolder folder;
    auto tier = open_tier(folder);
    ASSERT_TRUE(tier->put(1, "kernel"));
    for (const auto& f : std::filesystem::directory_iterator(folder.path())) {
        std::ofstream(f.path(), std::ios::app) << "garbage";
    }
    EXPECT_EQ(tier->get(1), std::nullopt);
    EXPECT_EQ(tier->corrupt_found(), 1u);
    EXPECT_EQ(files_in(folder.path()), 0u);
    ASSERT_TRUE(tier->put(1, "kernel"));
    ASSERT_TRUE(FaultPoints::arm("cache.disk.read@1"));
    EXPECT_EQ(tier->get(1), std::nullopt);
    FaultPoints::disarm_all();
    EXPECT_EQ(tier->corrupt_found(), 2u);
}

TEST(DiskTier, AFileRemovedBehindItsBackIsAMiss) {
    TemporaryFolder folder;
    auto tier = open_tier(folder);
    ASSERT_TRUE(tier->put(1, "kernel"));
    for (const auto& f : std::filesystem::directory_iterator(folder.path())) {
        std::filesystem::remove(f.path());
    }
    EXPECT_EQ(tier->get(1), std::nullopt);
    EXPECT_EQ(tier->entries(), 0u);
}

TEST(DiskTier, AFailedWriteIsReportedAndLeavesNothing) {
    TemporaryFolder folder;
    auto tier = open_tier(folder);
    ASSERT_TRUE(FaultPoints::arm("cache.disk.write@1"));
    EXPECT_TRUE(tier->put(1, "kernel").error().is(CacheError::kDiskUnavailable));
    FaultPoints::disarm_all();
    EXPECT_EQ(tier->entries(), 0u);
}

TEST(DiskTier, AFolderThatCannotBeMadeIsAnError) {
    TemporaryFolder folder;
    std::ofstream(folder / "file") << "x";
    const auto r = DiskTier::open(folder / "file", 100);
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(CacheError::kDiskUnavailable));
}

TEST(DiskTier, BansOutliveTheProcessAndATornLineIsHarmless) {
    TemporaryFolder folder;
    ASSERT_TRUE(open_tier(folder)->ban(0x1, "crashed\nbadly"));
    ASSERT_TRUE(open_tier(folder)->ban(0x2, "hung"));
    std::ofstream(folder / "banned.txt", std::ios::app) << "00000000000";
    const auto banned = open_tier(folder)->banned();
    EXPECT_EQ(banned.size(), 2u);
    EXPECT_EQ(banned.at(1), "crashed badly");
}

TEST(DiskTier, KilledAtAnyMomentItHoldsOnlyWholeFiles) {
    TemporaryFolder folder;
    for (int round = 0; round < 10; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto tier = DiskTier::open(folder.path(), 1 << 24);
            for (std::uint64_t i = 0;; ++i) {
                (void)(*tier)->put(i % 8,
                                   std::string(20'000 + i % 977, static_cast<char>('a' + i % 26)));
            }
        }
        ::usleep(static_cast<useconds_t>(3000 + 2711 * round));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        auto tier = open_tier(folder, 1 << 24);
        const auto entries = tier->entries();
        std::size_t whole = 0;
        for (std::uint64_t id = 0; id < 8; ++id) whole += tier->get(id).has_value();
        EXPECT_EQ(whole, entries);
        EXPECT_EQ(tier->corrupt_found(), 0u);
        EXPECT_EQ(files_in(folder.path()), entries) << "no temporary file is left";
    }
}

}  // namespace
}  // namespace esper::execution
