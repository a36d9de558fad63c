#pragma once

#include "esper/services/urza/connection_pool.h"
#include "esper/services/urza/objects.h"

namespace esper::urza {

/// Objects as rows of the library's own database: whoever copies the database has them, too. Each
/// at most kMostBytes, because a row is sent and kept whole.
class RowObjects final : public Objects {
  public:
    static constexpr std::size_t kMostBytes = std::size_t{32} << 20;
    RowObjects(std::string name, ConnectionPool::Connect connect)
        : name_(std::move(name)), connections_(std::move(connect)) {}

    Result<std::string> put(std::string_view content) override;
    Result<std::string> get(std::string_view digest) override;
    Result<Removed> remove_unless(
        const std::function<bool(const std::string& digest)>& keep) override;

  private:
    const std::string name_;
    ConnectionPool connections_;
};

}  // namespace esper::urza
