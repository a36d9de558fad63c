#pragma once
// Work that many machines share: each job is done by one worker at a time, and by another if that
// one vanishes.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// A job. The same orders for the same hardware are one job, however often they are given.
struct NewWork {
    std::string subject;   ///< what it is about, for people
    std::string hardware;  ///< the kind of machine it is for: execution::hardware_here()
    std::string orders;    ///< what a worker is told
};

/// A job that a worker has claimed, until its lease is over.
struct Claim {
    std::string id;
    std::int64_t token = 0;  ///< of this claim; a later claim of the same job has a greater one
    std::string subject;
    std::string orders;
    std::int64_t attempts = 1;  ///< claims so far, this one with them
};

enum class WorkState { kWaiting, kLeased, kDone, kDead };
std::string_view state_name(WorkState state);
std::optional<WorkState> state_of_name(std::string_view name);

struct WorkRow {
    std::string id, subject, hardware;
    WorkState state = WorkState::kWaiting;
    std::string worker;             ///< who claimed it last
    std::int64_t leased_until = 0;  ///< UTC, ms; 0 where nobody has it
    std::int64_t not_before = 0;    ///< UTC, ms: when it may be claimed
    std::int64_t attempts = 0;
    std::string said;  ///< the result, or the last error
};

/// Claims that fail before a job is dead.
inline constexpr std::int64_t kMostAttempts = 5;

/// The jobs of a library. Where its database has a clock of its own (PostgreSQL), leases go by
/// that; machines' clocks may differ. Errors of each: those of Library.
class WorkQueue {
  public:
    virtual ~WorkQueue() = default;

    /// Returns the job's id. A job that is done waits again: who orders it misses the result. One
    /// that is dead stays so.
    virtual Result<std::string> order(const NewWork& work) = 0;
    /// The job for this hardware that has waited longest, or one whose lease is over.
    virtual Result<std::optional<Claim>> claim(std::string_view hardware, std::string_view worker,
                                               std::chrono::milliseconds lease) = 0;
    /// From now on for as long again. Error: kStaleLease where somebody else has claimed it.
    virtual Status extend(const Claim& claim, std::chrono::milliseconds lease) = 0;
    /// The same result again, by the same claim, changes nothing. Errors: kStaleLease, kConflict
    /// for another result by the same claim; nothing is changed then.
    virtual Status finish(const Claim& claim, std::string_view result) = 0;
    /// It waits for another attempt, the longer the more there were; after kMostAttempts it is
    /// dead. Error: kStaleLease.
    virtual Status attempt_failed(const Claim& claim, std::string_view error) = 0;
    /// It waits again at once, as if it had not been claimed. Error: kStaleLease.
    virtual Status hand_back(const Claim& claim) = 0;

    /// A page of all jobs in the order of their ids. `state`: of these alone.
    virtual Result<std::vector<WorkRow>> work(std::optional<WorkState> state,
                                              std::string_view after, std::uint32_t limit) = 0;
    /// Error: kUnknownWork.
    virtual Result<WorkRow> work_of(std::string_view id) = 0;
    /// A dead or done job waits again, with all its attempts. Errors: kUnknownWork, kConflict where
    /// it waits or somebody has it.
    virtual Status retry(std::string_view id, std::string_view actor) = 0;
};

/// The id that a job has.
std::string id_of(const NewWork& work);

}  // namespace esper::urza
