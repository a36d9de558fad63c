#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "esper/services/urza/database.h"

namespace esper::urza {

/// One thread that makes all changes of this process. What arrives while a commit waits for the
/// disk is committed together afterwards, so many writers share one sync. A change that fails is
/// undone alone.
class GroupCommit {
  public:
    using Change = std::function<Status(Database&)>;
    /// `before_commit` runs once in each transaction that changed something.
    GroupCommit(std::unique_ptr<Database> database, Change before_commit);
    ~GroupCommit();

    /// Returns when the change is on the disk, or why it is not.
    Status write(Change change);
    std::uint64_t commits() const;

  private:
    struct Job {
        Change change;
        std::optional<Status> result;
    };
    void work();
    void commit(std::deque<Job*>& batch);

    std::unique_ptr<Database> database_;
    const Change before_commit_;
    mutable std::mutex mutex_;
    std::condition_variable arrived_, done_;
    std::deque<Job*> waiting_;
    std::uint64_t commits_ = 0;
    bool closing_ = false;
    std::thread thread_;
};

}  // namespace esper::urza
