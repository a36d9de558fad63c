#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "esper/services/supply/kernel_orders.h"

namespace esper::supply {

struct WorkerOptions {
    std::string library;            ///< its address
    std::filesystem::path program;  ///< `esper`, of which each job starts a process of its own
    ForgeWishes wishes = {};
    std::string name;  ///< of this worker, for people: every claim has it
    std::chrono::milliseconds lease{60'000};
    std::chrono::milliseconds pause{1'000};  ///< between two looks where there is nothing to do
    bool until_empty = false;                ///< end where there is nothing to do
};

/// Jobs for this kind of machine that are not done, and that a worker cannot claim now.
struct WorkLeft {
    std::int64_t waiting = 0;  ///< for their next attempt
    std::int64_t first = 0;    ///< UTC, ms: when the first of these may be claimed
    std::int64_t last = 0;     ///< and the last
    std::int64_t dead = 0;
    std::int64_t leased = 0;  ///< by other workers
};

struct WorkerTally {
    std::int64_t done = 0;     ///< jobs whose outcome is in the library
    std::int64_t failed = 0;   ///< attempts that failed; the job waits for another or is dead
    std::int64_t dropped = 0;  ///< jobs that another worker had claimed in the meantime
    WorkLeft left = {};        ///< with `until_empty`
};

/// Claims jobs for machines of this kind from a library, forges each in a process of its own, and
/// hands in what came of it, until `should_stop` says so: the present job is handed back then.
/// `say` takes a line for people about each job. Errors: those of open_library, and kReadOnly; a
/// library that cannot be reached later is waited for.
Result<WorkerTally> work_off(const WorkerOptions& options, const std::function<bool()>& should_stop,
                             const std::function<void(const std::string&)>& say);

}  // namespace esper::supply
