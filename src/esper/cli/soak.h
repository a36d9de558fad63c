#pragma once

#include <cstdint>
#include <functional>

#include "esper/base/process_usage.h"

namespace esper::cli {

#define ESPER_SOAK_ERRORS(X) X(kNoFolder, kRuntime) X(kWrongKernel, kRuntime)
ESPER_DEFINE_ERRORS(SoakError, "soak", ESPER_SOAK_ERRORS)

/// A part of a soak's work: `operations` operations with the numbers from `from` on.
struct SoakLap {
    std::uint64_t from = 0;
    std::uint64_t operations = 0;
};
using SoakWork = std::function<Status(const SoakLap&)>;

/// The kernel cache used by two threads: hits, misses, failing loads with their back-off,
/// prefetches and removals, without and with a disk tier. The cache exists as long
/// as the returned function.
SoakWork soak_cache();

/// Seeds that germinate, are grafted, evaluated and culled (or fail) in a small host, with edits of
/// its Program, its tensor store and snapshots of the state table. Some are fossilized; then a new
/// host is made, since a fossilized seed cannot be removed.
SoakWork soak_lives();

}  // namespace esper::cli
