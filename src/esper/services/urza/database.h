#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/urza/urza_error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace esper::urza {

/// A prepared statement with its values bound from 1 on. The destructor gives it back to its
/// database, which must live longer.
class Statement {
  public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    Statement& bind(std::int64_t number);
    Statement& bind(std::optional<double> number);
    /// True while there is a row.
    Result<bool> step();
    /// For a statement without rows.
    Status run();

    /// Values of the present row, from column 0 on. Texts and blobs are copies.
    std::string text(int column) const;
    std::int64_t integer(int column) const;
    std::optional<double> real(int column) const;

  private:
    friend class Database;
    Statement(class Database* database, sqlite3_stmt* statement, std::string sql);
    class Database* database_;
    sqlite3_stmt* statement_;
    std::string sql_;
    int bound_ = 0;
};

/// One connection to a SQLite file, in WAL mode with `synchronous=full`: a commit is on the disk
/// when it returns. For one thread at a time. Errors: kDiskFull, kReadOnly, kDamaged, kDatabase.
class Database {
  public:
    /// kSettled: read only, and nobody changes the file meanwhile, so that no journal is needed.
    enum class Mode { kReadWrite, kReadOnly, kSettled };
    /// kReadWrite makes a missing file.
    static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path, Mode mode);
    ~Database();

    /// One or more statements without values.
    Status run(const std::string& sql);
    /// A statement with one value to bind for each `?`. Prepared ones are kept for the next time.
    Result<Statement> prepare(const std::string& sql);
    /// Rows that the last statement changed.
    std::int64_t changes() const;
    /// Whether a transaction is open: some errors end it.
    bool in_transaction() const;

  private:
    friend class Statement;
    explicit Database(std::filesystem::path path) : path_(std::move(path)) {}
    tl::unexpected<Error> error(std::string_view doing) const;
    void give_back(const std::string& sql, sqlite3_stmt* statement);
    std::filesystem::path path_;
    sqlite3* handle_ = nullptr;
    std::map<std::string, std::vector<sqlite3_stmt*>> idle_;
};

}  // namespace esper::urza
