#include "esper/services/urza/group_commit.h"

#include <fmt/format.h>

namespace esper::urza {
namespace {

bool is_lost(const Status& status) { return !status && status.error().is(UrzaError::kUnreachable); }

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

GroupCommit::Attempt GroupCommit::attempt(const std::deque<Job*>& batch) {
    Attempt made;
    Status& whole = made.whole;
    whole = database_->begin();
    bool changed = false;
    for (auto* job : batch) {
        if (!whole) break;
        made.each.push_back(all_of(*database_, job->change));
        changed = changed || made.each.back();
        if (!database_->in_transaction()) whole = made.each.back();
    }
    if (whole && changed) whole = before_commit_(*database_);
    if (whole && database_->dialect() != Dialect::kSqlite) {
        auto last = last_entry(*database_);
        if (!last) whole = tl::unexpected(last.error());
        if (last) made.wanted = {last->number, last->hash};
    }
    made.was_committing = whole.has_value();
    if (whole) whole = database_->run("COMMIT");
    if (!whole && database_->in_transaction()) (void)database_->run("ROLLBACK");
    return made;
}

// The lock that begin() waits for is held by a transaction until it has ended, also by one whose
// connection was lost. After it, the ledger has all or nothing of what that transaction did.
Status GroupCommit::ask_fate(const LedgerHead& wanted, bool& was_done) {
    ESPER_CHECK_STATUS(database_->begin());
    auto found = has_entry(*database_, wanted);
    (void)database_->run("ROLLBACK");
    ESPER_CHECK_STATUS(found);
    was_done = *found;
    return {};
}

void GroupCommit::commit(std::deque<Job*>& batch) {
    Attempt made = attempt(batch);
    if (is_lost(made.whole)) {
        bool was_done = false;
        Status back = database_->reconnect();
        if (back && made.was_committing) back = ask_fate(made.wanted, was_done);
        if (back && was_done) made.whole = {};
        if (back && !was_done) made = attempt(batch);
        if (is_lost(made.whole) && made.was_committing)
            made.whole = fail(UrzaError::kUnknownFate,
                              fmt::format("the connection was lost while the change was committed, "
                                          "so it may have been made or not: {}. To make it again "
                                          "is safe: nothing is added twice",
                                          made.whole.error().message()));
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i)
        batch[i]->result = made.whole ? std::move(made.each[i]) : made.whole;
}

}  // namespace esper::urza
