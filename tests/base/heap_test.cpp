#include "esper/base/heap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdlib>

namespace esper {
namespace {

/// Pages that the system had to hand to this process while it took, wrote and freed blocks.
long faults_of(int rounds) {
    constexpr std::size_t kBytes = 40 << 20;
    const auto faults = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_minflt;
    };
    const long before = faults();
    for (int i = 0; i < rounds; ++i) {
        auto* block = static_cast<volatile char*>(std::malloc(kBytes));
        for (std::size_t at = 0; at < kBytes; at += 4096) block[at] = static_cast<char>(i);
        std::free(const_cast<char*>(block));
    }
    return faults() - before;
}

TEST(Heap, MemoryThatWasFreedIsGivenOutAgainWithoutTheSystem) {
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "the allocator is not glibc's";
#endif
    if (std::getenv("GLIBC_TUNABLES") != nullptr) GTEST_SKIP() << "the environment decides";
    faults_of(1);
    EXPECT_GT(faults_of(4), 4 * 10000) << "nothing was to be mended";
    keep_freed_memory();
    faults_of(1);
    EXPECT_LT(faults_of(4), 10000) << "a block has 10,240 pages";
}

}  // namespace
}  // namespace esper
