#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "esper/contracts/enum_text.h"
#include "esper/services/records/records_errors.h"

namespace esper::records {

using contracts::EnumEntry;

/// What a person may ask of a run while it trains.
#define ESPER_CONTROL_ACTIONS(X)         \
    X(kStop, 0, "stop")                  \
    X(kCheckpoint, 1, "checkpoint")      \
    X(kPauseGrowth, 2, "pause_growth")   \
    X(kResumeGrowth, 3, "resume_growth") \
    X(kRollback, 4, "rollback")
ESPER_CONTRACT_ENUM(ControlAction, ESPER_CONTROL_ACTIONS)

struct ControlRequest {
    ControlAction action = ControlAction::kCheckpoint;
    std::string by;  ///< who asks, in words
};

/// Leaves a request for the process that trains in `folder`: a file in its folder `control`, which
/// only the run's own user can write. Errors: kBadRecord where `control` is something else or
/// somebody else's, those of write_file_atomic.
Status leave_request(const std::filesystem::path& folder, const ControlRequest& request);

/// The requests that come to one run. put() is thread-safe, the rest belongs to one thread.
class ControlInbox {
  public:
    /// What an earlier process of this run left unread is thrown away.
    explicit ControlInbox(std::filesystem::path folder);

    /// A request of this process itself.
    void put(ControlRequest request);
    /// What has come since the last call, in order. Looks at the folder five times a second at
    /// most; files that are no requests, or another user's, are passed over.
    std::vector<ControlRequest> take();

  private:
    std::vector<ControlRequest> read_files(bool keep);
    std::filesystem::path folder_;
    std::optional<std::chrono::steady_clock::time_point> looked_;
    std::mutex mutex_;
    std::vector<ControlRequest> own_;
};

}  // namespace esper::records
