#include "esper/base/heap.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace esper {

void keep_freed_memory() {
#ifdef __GLIBC__
    if (std::getenv("GLIBC_TUNABLES") != nullptr) return;
    constexpr int kNever = 1 << 30;  // bytes: larger blocks are maps of their own
    mallopt(M_MMAP_THRESHOLD, kNever);
    mallopt(M_TRIM_THRESHOLD, kNever);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace esper
