#pragma once

#include <memory>

#include "esper/services/urza/database.h"

namespace esper::urza {

struct Libpq;

/// A connection to a PostgreSQL server, version 15 or newer. A statement may take 30 s and wait
/// 20 s for another writer, unless the address, the role or the database say otherwise. Where a
/// connection that only reads is lost, it is made again and the statement is asked again; a lost
/// change is kUnreachable. Fault points: urza.no_connection;
/// urza.lost_commit_answer, after a COMMIT was done.
class PostgresDatabase final : public Database {
  public:
    enum class Mode { kReadWrite, kReadOnly };
    /// `address`: postgresql://… as libpq knows it. Errors: kUnreachable.
    static Result<std::unique_ptr<Database>> open(const std::string& address, Mode mode);
    ~PostgresDatabase() override;

    Dialect dialect() const override { return Dialect::kPostgres; }
    Status run(const std::string& sql) override;
    std::int64_t changes() const override { return changes_; }
    Status begin() override;
    bool in_transaction() const override;
    Status reconnect() override;
    Result<std::int64_t> version() override;
    Status set_version(std::int64_t version) override;
    Status check_integrity() override { return {}; }  // of its files the server takes care

  private:
    friend class PostgresPrepared;
    PostgresDatabase(const Libpq& pq, std::string address, Mode mode);
    Result<std::unique_ptr<Prepared>> compile(const std::string& sql) override;
    Status connect();
    void disconnect();
    bool is_connected() const;
    /// Whether to ask once more: the connection was lost, only reads, and could be made again.
    bool is_back(const Status& asked);
    /// The error of a result, which it clears.
    tl::unexpected<Error> error(void* result, std::string_view doing);

    const Libpq& pq_;
    const std::string address_;
    const Mode mode_;
    void* connection_ = nullptr;
    std::uint64_t generation_ = 0;  ///< of the connection, to which prepared statements belong
    std::uint64_t names_ = 0;
    std::int64_t changes_ = 0;
};

/// Whether it is such a database's address.
bool is_postgres(std::string_view address);
/// The address without its password, for messages.
std::string without_password(std::string_view address);
/// The same statement with `$1` … for each `?` outside of quotes.
std::string numbered_placeholders(std::string_view sql);

}  // namespace esper::urza
