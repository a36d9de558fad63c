#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// What one kind of database keeps of a statement: its form that can be run again and again.
class Prepared {
  public:
    virtual ~Prepared() = default;
    virtual void bind_text(std::string_view text) = 0;
    virtual void bind_blob(std::string_view bytes) = 0;
    virtual void bind_integer(std::int64_t number) = 0;
    virtual void bind_real(std::optional<double> number) = 0;
    virtual Result<bool> step() = 0;
    /// Forgets rows and bound values.
    virtual void reset() = 0;
    virtual std::string text(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual std::optional<double> real(int column) const = 0;
};

/// A prepared statement with its values bound from the first `?` on. The destructor gives it back
/// to its database, which must live longer.
class Statement {
  public:
    Statement(Statement&& other) noexcept = default;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    Statement& bind(std::int64_t number);
    Statement& bind(std::optional<double> number);
    /// True while there is a row.
    Result<bool> step() { return prepared_->step(); }
    /// For a statement without rows.
    Status run();

    /// Values of the present row, from column 0 on. Texts and blobs are copies.
    std::string text(int column) const { return prepared_->text(column); }
    std::int64_t integer(int column) const { return prepared_->integer(column); }
    std::optional<double> real(int column) const { return prepared_->real(column); }

  private:
    friend class Database;
    Statement(class Database* database, std::unique_ptr<Prepared> prepared, std::string sql);
    class Database* database_;
    std::unique_ptr<Prepared> prepared_;
    std::string sql_;
};

enum class Dialect { kSqlite, kPostgres };

/// One connection to a database. A statement is written once for all of them: `?` for a value, and
/// of SQL what both know; what they do not share is a function here. A commit is on the disk when
/// it returns. For one thread at a time. Errors: kDiskFull, kReadOnly, kDamaged, kDatabase,
/// kUnreachable.
class Database {
  public:
    virtual ~Database() = default;

    virtual Dialect dialect() const = 0;
    /// One or more statements without values.
    virtual Status run(const std::string& sql) = 0;
    /// A statement with one value to bind for each `?`. Prepared ones are kept for the next time.
    Result<Statement> prepare(const std::string& sql);
    /// Rows that the last statement changed.
    virtual std::int64_t changes() const = 0;

    /// Begins a transaction during which nobody else changes the library; waits for whoever does.
    virtual Status begin() = 0;
    /// Whether a transaction is open: some errors end it.
    virtual bool in_transaction() const = 0;
    /// After kUnreachable: a new connection in the place of the one that was lost.
    virtual Status reconnect() { return {}; }

    /// How many migrations made the tables; 0 for none.
    virtual Result<std::int64_t> version() = 0;
    virtual Status set_version(std::int64_t version) = 0;
    /// What the database itself can find of damage to its files. Error: kDamaged.
    virtual Status check_integrity() = 0;

  protected:
    virtual Result<std::unique_ptr<Prepared>> compile(const std::string& sql) = 0;
    /// To be called before the connection ends.
    void forget_statements() { idle_.clear(); }

  private:
    friend class Statement;
    std::map<std::string, std::vector<std::unique_ptr<Prepared>>> idle_;
};

}  // namespace esper::urza
