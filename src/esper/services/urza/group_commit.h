#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "esper/services/urza/database.h"
#include "esper/services/urza/ledger.h"

namespace esper::urza {

/// One thread that makes all changes of this process. What arrives while a commit waits for the
/// disk is committed together afterwards, so many writers share one sync. A change that fails is
/// undone alone. Where the connection to the database is lost, a new one is made; what was not yet
/// being committed is done again, so a change may be called twice; and of what was, the ledger says
/// whether it was done.
class GroupCommit {
  public:
    using Change = std::function<Status(Database&)>;
    /// `before_commit` runs once in each transaction that changed something.
    GroupCommit(std::unique_ptr<Database> database, Change before_commit);
    ~GroupCommit();

    /// Returns when the change is on the disk, or why it is not. Error besides the change's: those
    /// of Database; kUnknownFate where the answer to the commit was lost and nobody can be asked.
    Status write(Change change);
    std::uint64_t commits() const;

  private:
    struct Job {
        Change change;
        std::optional<Status> result;
    };
    /// What became of a transaction with all changes of a batch.
    struct Attempt {
        Status whole;
        std::vector<Status> each;
        LedgerHead wanted;  ///< the ledger's last entry if it is committed
        bool was_committing = false;
    };
    void work();
    void commit(std::deque<Job*>& batch);
    Attempt attempt(const std::deque<Job*>& batch);
    Status ask_fate(const LedgerHead& wanted, bool& was_done);

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
