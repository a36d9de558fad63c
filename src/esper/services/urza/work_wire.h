#pragma once

#include "esper/contracts/declare.h"
#include "esper/services/urza/work_queue.h"

namespace esper::urza {

/// What the library's server and its workers send each other.

inline constexpr std::uint32_t kMostOrders = 1 << 20;
inline constexpr std::int64_t kShortestLeaseMs = 1, kLongestLeaseMs = 24LL * 3600 * 1000;

struct WorkOrder {
    ESPER_CONTRACT(WorkOrder, 220, "A job for workers")
    ESPER_REQUIRED(1, std::string, subject, length(1, 512), "What it is about")
    ESPER_REQUIRED(2, std::string, hardware, length(1, 255), "The kind of machine it is for")
    ESPER_REQUIRED(3, std::string, orders, length(1, kMostOrders), "What a worker is told")
};
struct WorkItem {
    ESPER_CONTRACT(WorkItem, 221, "A job and its state")
    ESPER_REQUIRED(1, std::string, id, length(1, 64), "")
    ESPER_REQUIRED(2, std::string, subject, length(1, 512), "What it is about")
    ESPER_REQUIRED(3, std::string, hardware, length(1, 255), "The kind of machine it is for")
    ESPER_REQUIRED(4, std::string, state, length(1, 16), "waiting, leased, done or dead")
    ESPER_FIELD(5, std::string, worker, "", length(0, 255), "Who claimed it last")
    ESPER_FIELD(6, std::int64_t, leased_until, 0, at_least(0), "UTC, ms; 0: nobody has it")
    ESPER_FIELD(7, std::int64_t, not_before, 0, at_least(0), "UTC, ms: when it may be claimed")
    ESPER_FIELD(8, std::int64_t, attempts, 0, at_least(0), "")
    ESPER_FIELD(9, std::string, said, "", length(0, kMostOrders), "The result, or the last error")
};
struct WorkClaim {
    ESPER_CONTRACT(WorkClaim, 222, "A worker that wants a job")
    ESPER_REQUIRED(1, std::string, hardware, length(1, 255), "Its kind of machine")
    ESPER_REQUIRED(2, std::string, worker, length(1, 255), "Its name")
    ESPER_REQUIRED(3, std::int64_t, lease_ms, range(kShortestLeaseMs, kLongestLeaseMs),
                   "After which another worker may take the job")
};
struct ClaimedWork {
    ESPER_CONTRACT(ClaimedWork, 223, "The job that the worker has now, if any")
    ESPER_FIELD(1, std::string, id, "", length(0, 64), "Empty: there is nothing to do")
    ESPER_FIELD(2, std::int64_t, token, 0, at_least(0), "Of this claim; later ones have more")
    ESPER_FIELD(3, std::string, subject, "", length(0, 512), "What it is about")
    ESPER_FIELD(4, std::string, orders, "", length(0, kMostOrders), "What the worker is told")
    ESPER_FIELD(5, std::int64_t, attempts, 0, at_least(0), "Claims so far, this one with them")
};
struct WorkProgress {
    ESPER_CONTRACT(WorkProgress, 224, "What a worker says of the job that it has")
    ESPER_REQUIRED(1, std::int64_t, token, at_least(1), "Of its claim")
    ESPER_FIELD(2, std::int64_t, lease_ms, kShortestLeaseMs,
                range(kShortestLeaseMs, kLongestLeaseMs), "From now on; to extend the lease")
    ESPER_FIELD(3, std::string, said, "", length(0, kMostOrders), "The result, or the error")
};

WorkItem item_of(const WorkRow& row);
/// Error: kBadAnswer for a state that is none.
Result<WorkRow> row_of(const WorkItem& item);

}  // namespace esper::urza
