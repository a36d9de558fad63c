#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "esper/services/urza/database.h"

namespace esper::urza {

/// Connections for reading, as many as are in use at once. Thread-safe.
class ConnectionPool {
  public:
    using Connect = std::function<Result<std::unique_ptr<Database>>()>;
    /// `keeps`: a connection is used again; without it each sees what was there when it was made.
    explicit ConnectionPool(Connect connect, bool keeps = true)
        : connect_(std::move(connect)), keeps_(keeps) {}

    /// A connection, given back by the destructor.
    class Lease {
      public:
        Lease(ConnectionPool& pool, std::unique_ptr<Database> database)
            : pool_(&pool), database_(std::move(database)) {}
        Lease(Lease&&) = default;
        ~Lease() {
            if (database_ == nullptr || !pool_->keeps_) return;
            const std::lock_guard lock(pool_->mutex_);
            pool_->idle_.push_back(std::move(database_));
        }
        Database& operator*() const { return *database_; }
        Database* operator->() const { return database_.get(); }

      private:
        ConnectionPool* pool_;
        std::unique_ptr<Database> database_;
    };
    Result<Lease> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto database = std::move(idle_.back());
                idle_.pop_back();
                return Lease(*this, std::move(database));
            }
        }
        ESPER_TRY(auto database, connect_());
        return Lease(*this, std::move(database));
    }

  private:
    const Connect connect_;
    const bool keeps_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Database>> idle_;
};

}  // namespace esper::urza
