#pragma once

#include <cstdint>
#include <functional>

#include "esper/base/process_usage.h"

namespace esper::cli {

#define ESPER_SOAK_ERRORS(X) X(kNoFolder, kRuntime) X(kWrongKernel, kRuntime)
ESPER_DEFINE_ERRORS(SoakError, "soak", ESPER_SOAK_ERRORS)

/// A share of a soak's work: lap number `lap` with `operations` operations, counted on from `from`.
struct SoakLap {
    std::uint64_t from = 0;
    std::uint64_t operations = 0;
};
using SoakWork = std::function<Status(const SoakLap&)>;

/// The kernel cache under two threads: hits, misses, failing loads with their back-off, prefetches,
/// removals, the memory-pressure ladder, and the same in front of a disk tier. Everything lives as
/// long as the returned function does.
SoakWork soak_cache();

/// Seeds that germinate, are grafted, evaluated and culled (or fault) in a small host: real edits
/// of its Program, the tensor store beside it, snapshots of the state table. Some are fossilized;
/// the host is made anew after that, since a fossil is meant to stay.
SoakWork soak_lives();

}  // namespace esper::cli
