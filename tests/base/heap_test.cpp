#include "esper/base/heap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdio>
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
    // In a process of its own: the allocator of the other tests stays as it is.
    const auto faults_before_and_after = [] {
        faults_of(1);
        const long before = faults_of(4);
        keep_freed_memory();
        faults_of(1);
        std::fprintf(stderr, "%ld and %ld faults", before, faults_of(4));
        std::exit(before > 4 * 10000 && faults_of(4) < 10000 ? 0 : 1);  // a block has 10,240 pages
    };
    EXPECT_EXIT(faults_before_and_after(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace esper
