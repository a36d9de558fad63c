#include "esper/services/urza/group_commit.h"

namespace esper::urza {
namespace {

Status all_of(Database& database, const GroupCommit::Change& change) {
    ESPER_CHECK_STATUS(database.run("SAVEPOINT change"));
    Status done = change(database);
    if (!database.in_transaction()) return done;  // a full disk ends the transaction by itself
    if (!done) ESPER_CHECK_STATUS(database.run("ROLLBACK TO change"));
    ESPER_CHECK_STATUS(database.run("RELEASE change"));
    return done;
}

}  // namespace

GroupCommit::GroupCommit(std::unique_ptr<Database> database, Change before_commit)
    : database_(std::move(database)),
      before_commit_(std::move(before_commit)),
      thread_([this] { work(); }) {}

GroupCommit::~GroupCommit() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

Status GroupCommit::write(Change change) {
    Job job{std::move(change), {}};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&job);
    arrived_.notify_one();
    done_.wait(lock, [&] { return job.result.has_value(); });
    return std::move(*job.result);
}

std::uint64_t GroupCommit::commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
}

void GroupCommit::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        arrived_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        std::deque<Job*> batch = std::exchange(waiting_, {});
        lock.unlock();
        commit(batch);
        lock.lock();
        ++commits_;
        // Results become visible under the lock: a waiter may destroy its job at once afterwards.
        done_.notify_all();
    }
}

void GroupCommit::commit(std::deque<Job*>& batch) {
    std::vector<Status> results;
    Status whole = database_->run("BEGIN IMMEDIATE");
    bool changed = false;
    for (auto* job : batch) {
        if (!whole) break;
        results.push_back(all_of(*database_, job->change));
        changed = changed || results.back();
        if (!database_->in_transaction()) whole = results.back();
    }
    if (whole && changed) whole = before_commit_(*database_);
    if (whole) whole = database_->run("COMMIT");
    if (!whole && database_->in_transaction()) (void)database_->run("ROLLBACK");
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i)
        batch[i]->result = whole ? std::move(results[i]) : whole;
}

}  // namespace esper::urza
